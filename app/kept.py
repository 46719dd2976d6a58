"""What was read from folders, in memory for as long as its files stay as they are. No gradio."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from diffusion_core.errors import UserError


class Kept:
    """`load(folder)` with the last `size` results in memory, each until a file in the folder changes.

    A failure is remembered as well, so that a damaged folder is not read on every visit.
    """

    def __init__(self, load: Callable[[Path], object], size: int):
        self.load, self.size = load, size
        self.entries: OrderedDict[Path, tuple[object, object]] = OrderedDict()
        self.lock = threading.Lock()

    def __call__(self, path: Path):
        with self.lock:
            stamp = _stamp(path)
            if path not in self.entries or self.entries[path][0] != stamp:
                self.entries[path] = (stamp, self._try(path))
            self.entries.move_to_end(path)
            while len(self.entries) > self.size:
                self.entries.popitem(last=False)
            found = self.entries[path][1]
        if isinstance(found, UserError):
            raise UserError(str(found))
        return found

    def forget(self, path: Path) -> None:
        """Read the folder again at the next call: something outside of it has changed."""
        with self.lock:
            self.entries.pop(path, None)

    def _try(self, path: Path):
        try:
            return self.load(path)
        except UserError as error:
            return error
        except Exception as error:  # damage of a kind the loader did not foresee must not take the page down
            return UserError(f"{path.name} cannot be read ({type(error).__name__}).")


def _stamp(folder: Path) -> tuple:
    """Name, time and size of every file in `folder`: another value whenever one of them changes."""
    found = sorted((path.name, path.stat()) for path in folder.iterdir() if path.is_file())
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in found)
