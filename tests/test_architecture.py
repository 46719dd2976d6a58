"""The arrow of imports, read from the code: demo.py -> app -> eval -> diffusion_core."""

import ast
import re
from pathlib import Path

import pytest

from diffusion_core.data import ROOT

ALLOWED = {"diffusion_core": set(), "eval": {"diffusion_core"}, "app": {"eval", "diffusion_core"}}
BORDER = {
    "errors.py",
    "forms.py",
    "sources.py",
    "train_judges.py",
    "train_classifier.py",
    "study.py",
    "studies.py",
    "study_run.py",
    "study_train.py",
}  # where eval may know diffusion_core
HEAVY = {"open_clip", "gradio", "diffusers"}
FILES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """The first part of every module that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    ours = imports(path) & {*ALLOWED, "demo", "tests", "benchmarks"}
    assert ours - {package} <= ALLOWED[package]
    if package == "eval" and path.name not in BORDER:
        assert "diffusion_core" not in ours
    if package != "app":
        assert "gradio" not in imports(path)
    if (
        package != "app"
        or path.name in ("store.py", "figures.py", "cli.py", "commands.py")
        or path.stem.endswith("_command")
    ):
        assert not HEAVY & imports(path, top_level_only=True), "heavy imports belong into the function that needs them"


def test_every_file_is_found_by_the_walk():
    assert len(FILES) > 30
    assert imports(ROOT / "diffusion_core" / "train.py") >= {"torch", "diffusion_core"}


def test_no_committed_file_is_over_ten_megabytes_or_a_pickle():
    import subprocess

    names = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True).stdout.split(
        "\0"
    )
    present = [ROOT / name for name in names if name and (ROOT / name).exists()]
    assert present, "not a git checkout?"
    for path in present:
        assert path.stat().st_size < 10_000_000, path
        assert path.suffix not in {".pt", ".pth", ".pkl", ".ckpt", ".bin"}, path


DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "LOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("data/*/*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documents_name_only_files_that_exist(document):
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    paths = re.findall(r"`((?:diffusion_core|eval|app|tests|docs|benchmarks|data)/[\w./-]*)`", text)
    for name in links:
        assert (document.parent / name).exists(), f"{document.name} links to {name}"
    for name in paths:
        assert (ROOT / name).exists(), f"{document.name} names {name}"
