"""Reports of single visitors, in memory alone, each known by a key that nobody can guess. No gradio.

Only whoever was given the key finds the report: it stands in no list and in no link. It goes after an hour, or when
others need the place.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from diffusion_core.errors import UserError
from eval.report import Report

PREFIX = "own/"
SIZE = 16  # reports
AGE = 3600.0  # seconds


def is_own(key: object) -> bool:
    """Whether a key is one of a shelf, there or gone; keys of reports on disk are none."""
    return isinstance(key, str) and key.startswith(PREFIX)


class Shelf:
    """At most `size` reports, each for `age` seconds by `clock`."""

    def __init__(self, size: int = SIZE, age: float = AGE, clock: Callable[[], float] = time.monotonic):
        self.size, self.age, self.clock = size, age, clock
        self._kept: OrderedDict[str, tuple[float, Report]] = OrderedDict()  # oldest first
        self._lock = threading.Lock()

    def put(self, report: Report) -> str:
        """Keep it; its key."""
        key = PREFIX + secrets.token_urlsafe(16)
        with self._lock:
            self._tidy(self.size - 1)
            self._kept[key] = (self.clock(), report)
        return key

    def get(self, key: str) -> Report:
        """The report of that key; `UserError` where it is gone."""
        with self._lock:
            self._tidy(self.size)
            if key not in self._kept:
                raise UserError("These samples are no longer kept. Judge them again.")
            return self._kept[key][1]

    def _tidy(self, most: int) -> None:
        now = self.clock()
        while self._kept:
            oldest, (since, _) = next(iter(self._kept.items()))
            if len(self._kept) <= most and now - since < self.age:
                return
            del self._kept[oldest]
