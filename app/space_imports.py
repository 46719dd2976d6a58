"""Whether requirements.txt brings everything that the code of a folder imports."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path


def uncovered(folder: Path) -> list[str]:
    """A line for each package that is imported but neither required nor brought along by what is required."""
    listed = folder / "requirements.txt"
    if not listed.is_file():
        return ["requirements.txt is missing. List what the code imports."]
    brought, providers = closure(listed.read_text().splitlines()), distributions()
    known = sys.stdlib_module_names | {path.stem for path in folder.iterdir()}
    found = {}  # one line a package, however many files import it
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        try:
            modules = set(imported(ast.parse(path.read_text())))
        except (SyntaxError, ValueError) as error:
            found[str(inside)] = f"{inside}: no Python ({error}). Correct it."
            continue
        for module in modules - known - found.keys():
            if not brought & {normal(name) for name in providers.get(module, [module])}:
                found[module] = f"{inside} imports {module}, which requirements.txt does not bring. Add it there."
    return list(found.values())


distributions = cache(packages_distributions)  # it reads the list of files of every installed package


def imported(node: ast.AST) -> Iterator[str]:
    """First parts of the modules that a tree imports; those whose absence it expects are left out."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module.split(".")[0]
    for child in ast.iter_child_nodes(node):
        expected = isinstance(node, ast.Try) and child in node.body and any(map(is_absence, node.handlers))
        if not (expected and isinstance(child, ast.Import | ast.ImportFrom)):
            yield from imported(child)


def is_absence(handler: ast.ExceptHandler) -> bool:
    """Whether an `except` is for a package that is not there."""
    return isinstance(handler.type, ast.Name) and handler.type.id in ("ImportError", "ModuleNotFoundError")


def closure(lines: list[str]) -> set[str]:
    """Normal names of the packages that the lines of a requirements file name, and of all that these need."""
    waiting, found = [name for line in lines if (name := required(line))], set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # named, but for another platform than this one
            continue
        waiting += [needs for line in needed if "extra ==" not in line and (needs := required(line))]
    return found


def required(line: str) -> str | None:
    """The normal name of the package in a line of requirements; None for a comment or an option."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return normal(match[1]) if match else None


def normal(name: str) -> str:
    """One spelling for every name that the package index takes for the same."""
    return re.sub(r"[-_.]+", "-", name).lower()
