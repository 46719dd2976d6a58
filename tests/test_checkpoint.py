"""Saving that survives a kill at any moment, and loading that refuses what is damaged."""

import json
import os
import pickle
import signal
import struct
import subprocess
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import from_dict, to_dict
from diffusion_core.errors import UserError
from tests.conftest import random_denoiser, save_tiny


def test_saved_and_loaded_is_the_same(tmp_path):
    meta = save_tiny(tmp_path / "one", parent="mnist", rewards=("clip@1",), scores={"accuracy": {"value": 0.5}})
    loaded = checkpoints.load(tmp_path / "one")
    assert loaded.meta == meta == checkpoints.read_meta(tmp_path / "one")
    assert loaded.name == "one"
    for key, value in random_denoiser().network.state_dict().items():
        assert torch.equal(loaded.denoiser.network.state_dict()[key], value)
    assert not any(p.requires_grad for p in loaded.denoiser.parameters())
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["checkpoint.json", "model.safetensors"]


SAVE_CALLS = 2 * 3 + 2 * 2  # two files written (fsync, replace, fsync), two renames with a folder sync each


@pytest.mark.parametrize("at", range(1, SAVE_CALLS + 1))
@pytest.mark.parametrize("first", [False, True], ids=["over an old one", "the first one"])
def test_sigkill_at_every_system_call_leaves_a_whole_checkpoint(tmp_path, at, first):
    folder = tmp_path / "one"
    old = None if first else save_tiny(folder, seed=0, images_seen=1)
    new = random_denoiser(seed=1)  # before the fork: torch's threads do not live on in a child
    meta = replace(save_tiny(tmp_path / "other"), images_seen=2)
    child = os.fork()
    if child == 0:
        die_at(at)
        checkpoints.save(folder, new, meta)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    try:
        found, problem = checkpoints.load(folder), ""
    except UserError as error:
        found, problem = None, str(error)
    if found is None:
        assert first and ("no checkpoint" in problem or "missing" in problem)
        return
    expected = random_denoiser(seed=found.meta.images_seen - 1).network.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in found.denoiser.network.state_dict().items())
    assert found.meta == checkpoints.read_meta(folder)
    assert found.meta.images_seen == 2 or found.meta == old
    renewed = save_tiny(folder, seed=3, images_seen=4)  # and the next save works
    assert checkpoints.load(folder).meta == renewed


def die_at(call: int) -> None:
    """Kill this process before its `call`-th fsync or rename."""
    count = 0

    def counted(real):
        def wrapper(*arguments):
            nonlocal count
            count += 1
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        return wrapper

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)


def test_the_number_of_system_calls_is_the_one_tested(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    save_tiny(tmp_path / "one")
    assert len(calls) == SAVE_CALLS


def test_every_file_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append((str(a), str(b))), replace(a, b))[1])
    save_tiny(tmp_path / "one")
    for i, event in enumerate(events):
        if isinstance(event, tuple) and event[0].endswith(".tmp"):
            assert event[0] in events[:i]
            assert str(tmp_path / "one") in events[i + 1 :]


def test_a_full_disk_leaves_the_old_checkpoint_and_no_half_file(tmp_path, monkeypatch):
    folder = tmp_path / "one"
    old = save_tiny(folder)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_tiny(folder, seed=1)
    assert checkpoints.load(folder).meta == old
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint.json", "model.safetensors"]


def _bytes(folder, change):
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))


def _rehash(folder):
    """Make the manifest vouch for the weights as they are, so that only their content can give them away."""
    import hashlib

    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    _json(folder, sha256=digest)


def _json(folder, **changes):
    path = folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    _rehash(folder)


def _first(tensors):
    return sorted(tensors)[0]


DAMAGE = {
    "truncated": (lambda f: _bytes(f, lambda b: b[:-100]), "model.safetensors is damaged"),
    "bit flipped": (lambda f: _bytes(f, lambda b: b[:-1] + bytes([b[-1] ^ 1])), "model.safetensors is damaged"),
    "weights missing": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
    "manifest missing": (lambda f: (f / "checkpoint.json").unlink(), "no checkpoint"),
    "manifest is not JSON": (lambda f: (f / "checkpoint.json").write_text("{"), "checkpoint.json cannot be read"),
    "manifest is a list": (lambda f: (f / "checkpoint.json").write_text("[]"), "expected an object"),
    "newer schema": (lambda f: _json(f, schema=99), "schema 99"),
    "unknown key": (lambda f: _json(f, colour="red"), "unknown key 'colour'"),
    "unknown data set": (lambda f: _json(f, dataset="emnist"), "no data set 'emnist'"),
    "a pickle": (lambda f: (_bytes(f, lambda b: pickle.dumps({"a": 1})), _rehash(f)), "not a safetensors file"),
    "huge header": (
        lambda f: (_bytes(f, lambda b: struct.pack("<Q", 100 << 20) + b[8:]), _rehash(f)),
        "not a safetensors file",
    ),
    "NaN weights": (lambda f: _tensors(f, lambda t: t[_first(t)].fill_(float("nan"))), "NaN"),
    "missing tensor": (lambda f: _tensors(f, lambda t: t.pop(_first(t))), "does not fit"),
    "extra tensor": (lambda f: _tensors(f, lambda t: t.update(extra=torch.zeros(1))), "'extra'"),
    "other shape": (lambda f: _tensors(f, lambda t: t.update({_first(t): torch.zeros(3)})), r"\(3,\), not"),
    "other dtype": (lambda f: _tensors(f, lambda t: t.update({_first(t): t[_first(t)].double()})), "tensor"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_one_line_that_names_it(tmp_path, name):
    folder = tmp_path / "one"
    save_tiny(folder)
    damage, words = DAMAGE[name]
    damage(folder)
    with pytest.raises(UserError, match=words) as error:
        checkpoints.load(folder)
    assert "\n" not in str(error.value)


def test_meta_is_strict():
    data = json.loads(checkpoints.manifest_bytes(checkpoints.CheckpointMeta(**_meta_fields())))
    assert to_dict(from_dict(checkpoints.CheckpointMeta, data)) == to_dict(checkpoints.CheckpointMeta(**_meta_fields()))
    data["network"]["norn"] = 1
    with pytest.raises(UserError, match="network: unknown key 'norn'"):
        from_dict(checkpoints.CheckpointMeta, data)


def _meta_fields():
    from tests.conftest import TINY, TINY_PRESET

    return {
        "dataset": "mnist", "network": TINY, "train": TINY_PRESET.train, "sample": TINY_PRESET.sample,
        "images_seen": 1, "train_seconds": 1.0,
    }  # fmt: skip


def test_the_revision_is_that_of_the_code(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)

    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checkpoints.revision() == ""
    for name in ("code.py", "checkpoints/report.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    head = git("rev-parse", "HEAD").stdout[:12]
    (tmp_path / "checkpoints" / "report.json").write_text("2")
    assert checkpoints.revision() == head
    (tmp_path / "code.py").write_text("2")
    assert checkpoints.revision() == f"{head}-dirty"


def test_a_checkpoint_of_schema_1_is_read_as_what_it_was(tiny, tmp_path):
    """Before optimizers, intervals, levels, cheap up-convolutions and students were choices."""
    folder = tiny.path
    manifest = json.loads((folder / "checkpoint.json").read_text())
    del manifest["tune"], manifest["distill"], manifest["network"]["up_conv"]
    for part, keys in {"train": ("optimizer", "muon_lr"), "sample": ("interval", "levels")}.items():
        for key in keys:
            del manifest[part][key]
    (folder / "checkpoint.json").write_text(json.dumps(manifest | {"schema": 1}))
    assert checkpoints.load(folder).meta == tiny.meta


def test_a_checkpoint_of_schema_2_was_tuned_by_nothing(tiny):
    manifest = json.loads((tiny.path / "checkpoint.json").read_text())
    del manifest["tune"]
    (tiny.path / "checkpoint.json").write_text(json.dumps(manifest | {"schema": 2}))
    assert checkpoints.load(tiny.path).meta == tiny.meta
