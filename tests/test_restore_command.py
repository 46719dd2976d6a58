"""`python -m app restore` as a user types it: its files, and one line for what does not fit."""

import json

import numpy as np
import pytest
from PIL import Image

from app.cli import main
from diffusion_core import data


def run(capsys, *arguments):
    code = main(["restore", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def tiny(store):
    return store.root / "mnist"


def test_the_command_writes_the_candidates_and_what_was_found(capsys, tmp_path, tiny):
    code, out, _ = run(
        capsys, tiny, "test:8", "--kind", "box:12", "--count", 3, "--steps", 3, "--out", tmp_path, "--json"
    )
    found = json.loads(out.splitlines()[-1])
    assert code == 0 and json.loads((tmp_path / "result.json").read_text()) == {
        k: found[k] for k in found if k != "out"
    }
    assert sum(found["likely"]) == pytest.approx(1, abs=1e-3) and sum(found["read"].values()) == pytest.approx(1)
    held = np.load(tmp_path / "restored.npz")
    real = data.load("mnist", "test").images[8, 0].numpy()
    known = np.ones((28, 28), bool)
    known[8:20, 8:20] = False
    for i in range(3):
        image = np.asarray(Image.open(tmp_path / f"candidate-{i}.png"))
        assert np.array_equal(image, held["images"][i]) and np.array_equal(image[known], real[known])
    assert np.asarray(Image.open(tmp_path / "sheet.png")).shape == (32, 5 * 30 + 2)
    assert found["mean"]["psnr"] > 0 and found["recorded"]["ssim"] < 1


def test_masks_matrices_and_measurements_from_files(capsys, tmp_path, tiny):
    real = data.load("mnist", "test").images[5, 0].numpy()
    Image.fromarray(real).save(tmp_path / "digit.png")
    mask = np.zeros((28, 28), np.uint8)
    mask[:, 14:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    some = ("--count", 2, "--steps", 2, "--label", 1)
    code, *_ = run(
        capsys, tiny, tmp_path / "digit.png", "--mask", tmp_path / "mask.png", *some, "--out", tmp_path / "a"
    )
    assert code == 0 and "psnr" not in (tmp_path / "a" / "result.json").read_text()
    restored = np.load(tmp_path / "a" / "restored.npz")
    assert (restored["images"][:, :, :14] == real[:, :14]).all() and (restored["labels"] == 1).all()

    A = np.random.default_rng(0).normal(size=(40, 784)).astype(np.float32) / 28
    np.save(tmp_path / "A.npy", A)
    np.save(tmp_path / "y.npy", A @ (real.ravel() / 255))
    for image, more in ((tmp_path / "y.npy", ()), (tmp_path / "digit.png", ("--whole",))):
        code, _, err = run(capsys, tiny, image, "--matrix", tmp_path / "A.npy", *more, *some, "--out", tmp_path / "b")
        assert code == 0, err
        seen = np.load(tmp_path / "b" / "restored.npz")["images"].reshape(2, -1) / 255 @ A.T
        assert np.abs(seen - A @ (real.ravel() / 255)).max() < 0.05


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("test:8",), "one of the arguments --kind --mask --matrix is required"),
        (("test:8", "--kind", "smear"), "There is no damage 'smear'"),
        (("test:8", "--kind", "box:x"), "is not a KIND:SEVERITY"),
        (("test:8", "--kind", "box:0"), "must be from 1 to 28"),
        (("test:20000", "--kind", "box"), "There is no test image 20000"),
        (("missing.png", "--kind", "box"), "missing.png cannot be read"),
        (("test:8", "--kind", "box", "--count", "0"), "candidates must be from 1"),
        (("test:8", "--kind", "box", "--steps", "0"), "Steps must be"),
        (("test:8", "--kind", "box", "--label", "10"), "The label must be from 0 to 9"),
        (("test:8", "--kind", "box", "--noise", "auto"), "give a number"),
        (("test:8", "--kind", "box", "--noise", "-1"), "The noise must be from 0"),
        (("test:8", "--matrix", "missing.npy"), "missing.npy cannot be read"),
        (("test:8", "--mask", "missing.png"), "missing.png cannot be read"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(capsys, tmp_path, tiny, arguments, said):
    code, out, err = run(capsys, tiny, *arguments, "--out", tmp_path / "x")
    assert code == 2 and said in err and err.count("\n") == 1 and not out


def test_a_matrix_that_is_none_and_a_folder_that_cannot_be(capsys, tmp_path, tiny):
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "short.npy", np.zeros((3, 5)))
    (tmp_path / "text.npy").write_text("no")
    (tmp_path / "file").write_text("in the way")
    for name, said in (("words", "not a .npy"), ("text", "not a .npy"), ("short", r"[m, 784]")):
        code, _, err = run(capsys, tiny, "test:1", "--matrix", tmp_path / f"{name}.npy", "--out", tmp_path / "x")
        assert code == 2 and said in err
    code, _, err = run(capsys, tiny, "test:1", "--kind", "box", "--steps", 2, "--out", tmp_path / "file")
    assert code == 2 and err.count("\n") == 1 and "file" in err


@pytest.mark.parametrize(
    ("size", "painted", "said"),
    [((28, 28), 0, "hides nothing"), ((28, 28), 255, "hides everything"), ((30, 28), 255, "30x28")],
)
def test_a_mask_that_hides_nothing_or_all_or_is_of_another_size(capsys, tmp_path, tiny, size, painted, said):
    Image.new("L", size, painted).save(tmp_path / "mask.png")
    code, _, err = run(capsys, tiny, "test:1", "--mask", tmp_path / "mask.png", "--out", tmp_path / "x")
    assert code == 2 and said in err and err.count("\n") == 1 and not (tmp_path / "x").exists()
