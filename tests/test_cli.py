"""The command line as a user types it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from app.cli import build_parser, main
from app.compare_command import find_pair
from diffusion_core.config import to_dict
from diffusion_core.data import ROOT
from diffusion_core.presets import PRESETS
from diffusion_core.samplers import SAMPLERS
from tests.conftest import save_tiny
from tests.made_reports import made_report


@pytest.fixture
def tiny_folder(tmp_path):
    save_tiny(tmp_path / "tiny")
    return str(tmp_path / "tiny")


def run(capsys, *arguments):
    """Exit code, standard output, standard error."""
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_sample_writes_the_same_bytes_twice_and_a_prefix_for_fewer(capsys, tmp_path, tiny_folder):
    outs = [tmp_path / f"{i}.npz" for i in range(3)]
    for out, count in zip(outs, (4, 4, 2), strict=True):
        code, _, _ = run(capsys, "sample", tiny_folder, "--per-class", count, "--seed", 0, "--out", out)
        assert code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    whole, part = np.load(outs[0]), np.load(outs[2])
    assert whole["images"].shape == (40, 28, 28) and whole["images"].dtype == np.uint8
    assert np.issubdtype(whole["labels"].dtype, np.integer) and np.issubdtype(whole["seeds"].dtype, np.integer)
    for key in ("images", "labels", "seeds"):
        assert np.array_equal(whole[key][:20], part[key])


def test_sample_json_settings_and_png_folder(capsys, tmp_path, tiny_folder):
    out = tmp_path / "pictures"
    code, text, _ = run(
        capsys, "sample", tiny_folder, "--labels", "5,6", "--per-class", 2, "--steps", 1, "--sampler", "euler",
        "--guidance", 2, "--seed", 3, "--out", out, "--json",
    )  # fmt: skip
    assert code == 0
    result = json.loads(text.splitlines()[-1])
    assert result["count"] == 4 and result["sample"]["sampler"] == "euler" and result["sample"]["guidance"] == 2
    assert sorted(p.name for p in out.iterdir()) == ["5-000008.png", "5-000018.png", "6-000009.png", "6-000019.png"]


def test_sample_writes_a_number(capsys, tmp_path, tiny_folder):
    out = tmp_path / "number.npz"
    assert run(capsys, "sample", tiny_folder, "--write", "2026", "--seed", 3, "--steps", 1, "--out", out)[0] == 0
    with np.load(out) as file:
        assert file["labels"].tolist() == [2, 0, 2, 6] and file["seeds"].tolist() == [5, 13, 25, 39]
    code, _, errors = run(capsys, "sample", tiny_folder, "--write", "20-26", "--out", out)
    assert code == 2 and "characters of these: 0123456789" in errors and "Traceback" not in errors


def test_clip_guidance_changes_the_digits_and_is_the_same_twice(capsys, tmp_path, tiny_folder):
    found = []
    for i, more in enumerate(((), ("--clip-guidance", 1), ("--clip-guidance", 1))):
        out = tmp_path / f"{i}.npz"
        assert run(capsys, "sample", tiny_folder, "--per-class", 1, "--steps", 8, "--out", out, *more)[0] == 0
        found.append(out.read_bytes())
    assert found[0] != found[1] == found[2]
    code, _, errors = run(capsys, "sample", tiny_folder, "--clip-guidance", "-1", "--out", tmp_path / "x.npz")
    assert code == 2 and "from 0 to 100" in errors and not (tmp_path / "x.npz").exists()


def test_train_twice_then_info(capsys, tmp_path):
    out = tmp_path / "run"
    for images in (256, 512):
        code, text, _ = run(capsys, "train", "--images", images, "--out", out, "--json")
        assert code == 0 and json.loads(text.splitlines()[-1])["images"] == images
    code, text, _ = run(capsys, "info", out, "--json")
    assert code == 0 and json.loads(text)["images_seen"] == 512
    assert run(capsys, "info", out)[1].startswith("dataset")


def test_a_student_is_made_drawn_from_and_has_none_of_its_own(capsys, tmp_path, tiny_folder):
    out = tmp_path / "student"
    code, text, err = run(capsys, "distill", tiny_folder, "--images", 128, "--out", out, "--json")
    assert code == 0 and json.loads(text.splitlines()[-1])["images"] == 128, err
    code, text, _ = run(capsys, "sample", out, "--per-class", 1, "--out", tmp_path / "x.npz", "--json")
    sample = json.loads(text.splitlines()[-1])["sample"]
    assert code == 0 and (sample["sampler"], sample["steps"], sample["guidance"]) == ("consistency", 2, 1)
    code, _, err = run(capsys, "distill", out, "--images", 128, "--out", tmp_path / "again")
    assert code == 2 and "is a student itself" in err and err.count("\n") == 1
    code, _, err = run(capsys, "distill", "nope", "--images", 128)
    assert code == 2 and "no checkpoint 'nope'" in err


def test_a_run_without_an_end_takes_the_presets(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "mnist", PRESETS["mnist"]._replace(minutes=0.001))
    code, text, _ = run(capsys, "train", "--out", tmp_path / "run", "--json")
    assert code == 0 and json.loads(text.splitlines()[-1])["images"] == PRESETS["mnist"].train.batch


def test_score_compare_and_info_of_reports(capsys, tmp_path, tiny_folder):
    save_tiny(tmp_path / "other", seed=1)
    reports = []
    for name in ("tiny", "other"):
        out = tmp_path / f"report-{name}"
        code, text, err = run(capsys, "score", tmp_path / name, "--per-class", 3, "--out", out, "--json")
        assert code == 0, err
        result = json.loads(text.splitlines()[-1])
        assert [sum(row) for row in result["confusion"]] == [3] * 10
        assert [sum(row) for row in result["clip_confusion"]] == [3] * 10
        assert result["reference"]["metrics"]["overall"]["accuracy"]["value"] > 0.99
        reports.append(out)
    code, text, _ = run(capsys, "compare", *reports, "--out", tmp_path / "c", "--json")
    assert code == 0
    assert json.loads(text.splitlines()[-1]) == json.loads((tmp_path / "c" / "comparison.json").read_text())
    code, text, _ = run(capsys, "info", reports[0])
    assert code == 0 and "accuracy" in text


def test_score_of_an_npz_is_that_of_the_checkpoint_it_came_from(capsys, tmp_path, tiny_folder):
    npz = tmp_path / "x.npz"
    run(capsys, "sample", tiny_folder, "--per-class", 3, "--out", npz)
    tables = []
    for source, more in ((npz, ()), (tiny_folder, ("--per-class", 3))):
        code, text, _ = run(capsys, "score", source, *more, "--out", tmp_path / "r", "--json")
        assert code == 0
        tables.append(json.loads(text.splitlines()[-1])["metrics"])
    assert tables[0] == tables[1]


def test_reports_without_a_plan_in_common_are_refused_with_their_plans(capsys, tmp_path):
    for name, plans in (("one", ((4, 0), (2, 0))), ("two", ((3, 7),))):
        save_tiny(tmp_path / name)
        for per_class, seed in plans:
            report = made_report(name, per_class=per_class, seed=seed)
            report.save(tmp_path / name / "reports" / f"{per_class}-{seed}")
    code, _, err = run(capsys, "compare", tmp_path / "one", tmp_path / "two")
    assert code == 2 and "one' has 20 images from seed 0 by 4 scorers, 40 images from seed 0 by 4 scorers;" in err
    assert "two' has 30 images from seed 7 by 4 scorers. Score both" in err and err.count("\n") == 1


BAD = {
    "no command": ((), "COMMAND"),
    "unknown command": (("fly",), "fly"),
    "unknown checkpoint": (("sample", "nope", "--out", "x.npz"), "no checkpoint 'nope'"),
    "path out of the folder": (("sample", "../../etc", "--out", "x.npz"), "no checkpoint"),
    "steps 0": (("sample", "TINY", "--steps", "0", "--out", "OUT"), "Steps"),
    "steps 2.5": (("sample", "TINY", "--steps", "2.5", "--out", "OUT"), "2.5"),
    "NaN guidance": (("sample", "TINY", "--guidance", "nan", "--out", "OUT"), "Guidance"),
    "label 10": (("sample", "TINY", "--labels", "10", "--out", "OUT"), "Label 10"),
    "label x": (("sample", "TINY", "--labels", "x", "--out", "OUT"), "'x'"),
    "sampler": (("sample", "TINY", "--sampler", "magic", "--out", "OUT"), "magic"),
    "count 0": (("sample", "TINY", "--per-class", "0", "--out", "OUT"), "at least 1"),
    "seed -1": (("sample", "TINY", "--seed=-1", "--out", "OUT"), "seed"),
    "seed 2^64": (("sample", "TINY", "--seed", str(2**64), "--out", "OUT"), "seed"),
    "out in no folder": (("sample", "TINY", "--out", "/nonexistent/x.npz"), "cannot be written"),
    "out of another kind": (("sample", "TINY", "--out", "x.jpg"), ".npz"),
    "unknown source": (("score", "nope.npz"), "nope.npz"),
    "options on real": (("score", "real", "--steps", "3"), "checkpoints only"),
    "unknown clip": (("score", "real", "--clip", "ViT-Z/none"), "ViT-Z"),
    "minutes 0": (("train", "--minutes", "0", "--out", "OUT"), "more than 0"),
    "minutes NaN": (("train", "--minutes", "nan", "--out", "OUT"), "more than 0"),
    "unknown preset": (("train", "--preset", "nope", "--minutes", "1"), "no preset 'nope'"),
    "nothing to resume": (("train", "--minutes", "1", "--resume", "--out", "OUT"), "no run to resume"),
    "no report": (("compare", "TINY", "TINY"), "no report yet"),
    "info of nothing": (("info", "nope"), "no checkpoint 'nope'"),
    "port": (("serve", "--port", "99999"), "port"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_one_line_and_exit_code_2(capsys, tmp_path, tiny_folder, name):
    arguments, words = BAD[name]
    names = {
        "TINY": tiny_folder,
        "OUT": str(tmp_path / "out.npz" if arguments[:1] == ("sample",) else tmp_path / "out"),
    }
    code, _, err = run(capsys, *(names.get(a, a) for a in arguments))
    assert code == 2
    assert words in err and "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("error:")]) == 1
    assert err.strip().count("\n") == 0, err
    assert not (tmp_path / "out.npz").exists()


def test_the_help_names_every_sampler(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["sample", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in SAMPLERS)


def test_the_command_line_is_read_before_torch_is_loaded():
    """Help and mistakes answer at once: importing torch takes seconds."""
    code = "import sys; from app.cli import main; assert main(['fly']) == 2; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_a_reader_that_leaves_is_no_error(tiny_folder):
    """As `info ... | true`: nothing on stderr, not even at exit."""
    command = [sys.executable, "-m", "app", "info", tiny_folder]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 0
    assert errors == b""


def test_a_failed_command_leaves_what_was_there(capsys, tmp_path, tiny_folder):
    out = tmp_path / "x.npz"
    out.write_bytes(b"precious")
    assert run(capsys, "sample", tiny_folder, "--labels", "99", "--out", out)[0] == 2
    assert out.read_bytes() == b"precious"


def test_damaged_weights_and_missing_data_in_a_real_process(tmp_path, tiny_folder):
    """From outside: exit code, one line, no traceback, no warning noise."""
    shutil.copytree(tiny_folder, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    commands = [
        (["sample", str(tmp_path / "damaged"), "--out", str(tmp_path / "x.npz")], {}, "model.safetensors is damaged"),
        (["train", "--images", "10", "--out", str(tmp_path / "r")], {"MNIST_DIR": str(tmp_path)}, "is missing"),
    ]
    for arguments, extra, words in commands:
        result = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT, env=os.environ | extra, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert result.returncode == 2
        assert words in result.stderr and result.stderr.strip().count("\n") == 0


def test_compare_takes_of_each_checkpoint_the_report_drawn_as_it_recommends(tmp_path):
    for name in ("a", "b"):
        own = save_tiny(tmp_path / name).sample
        for folder, sample in (("1", own), ("2", replace(own, guidance=3.0))):
            made_report(name, sample=to_dict(sample)).save(tmp_path / name / "reports" / folder)
    assert [r.source.sample for r in find_pair(str(tmp_path / "a"), str(tmp_path / "b"))] == [to_dict(own)] * 2
