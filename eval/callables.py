"""Images from anybody's Python function, named as `module:function`.

The function takes labels and seeds, numpy int64 [n] each, and returns uint8 [n, C, H, W], or [n, H, W] where images
are grey, a numpy array or a torch tensor. It is called with up to 100 at a time; image i should depend on labels[i] and
seeds[i] only. This runs the module's code, so such a name must come from the user of this machine, never from
a visitor.
"""

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eval.errors import UserError
from eval.source_base import Form, Progress, SourceInfo, shown

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
BLOCK = 100  # images a call


class Function:
    """The function called `name`, loaded. `info.sha256` is that of its module's file, not of what that imports."""

    def __init__(self, name: str, form: Form):
        self.name, self.form = name, form
        self._function, sha256 = _load(name)
        self.info = SourceInfo(
            id=f"{name}@{sha256[:12]}",
            kind="callable",
            name=name.replace(":", "."),  # it becomes part of a folder's name
            dataset=form.name,
            class_names=form.class_names,
            sha256=sha256,
            given=name,
        )

    def draw(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        """uint8 [N, C, H, W]. `UserError` with the function's own error, or what is wrong with its result."""
        done = []
        for start in range(0, len(labels), BLOCK):
            block = slice(start, min(start + BLOCK, len(labels)))
            try:
                result = self._function(labels[block].numpy().copy(), seeds[block].numpy().copy())
                array = result.detach().cpu().numpy() if isinstance(result, Tensor) else np.asarray(result)
            except Exception as error:
                raise UserError(f"{self.name} failed: {_said(error)}") from None
            done.append(self._checked(array, block.stop - start))
            if progress:
                progress(block.stop, len(labels))
        return torch.cat(done)

    def _checked(self, array: np.ndarray, n: int) -> Tensor:
        """What the function returned, as uint8 [n, C, H, W]."""
        channels, height, width = self.form.shape
        needed = f"needed is uint8 {[n, height, width] if channels == 1 else [n, channels, height, width]}"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(f"{self.name} returned NaN or infinite pixels; {needed}.")
        if array.dtype != np.uint8:
            raise UserError(f"{self.name} returned {array.dtype}; {needed}: pixels of 0..255, rounded.")
        if array.shape not in ((n, channels, height, width), (n, height, width) if channels == 1 else ()):
            raise UserError(f"{self.name} returned {list(array.shape)} for {n} labels; {needed}.")
        return torch.from_numpy(array.reshape(n, channels, height, width).copy())


def _load(name: str) -> tuple[Callable, str]:
    module_name, function_name = name.split(":")
    if os.getcwd() not in sys.path:  # it is there under `python -m`, and not under an installed command
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(f"{name}: there is no module '{error.name}' here or installed.") from None
    except (Exception, SystemExit) as error:  # the module's own code
        raise UserError(f"{name}: its module fails when it is imported: {_said(error)}") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"{name}: '{module_name}' has no function '{function_name}'.")
    file = getattr(module, "__file__", None)
    content = Path(file).read_bytes() if file else name.encode()
    return function, hashlib.sha256(content).hexdigest()


def _said(error: BaseException) -> str:
    return shown(f"{type(error).__name__}: {error}", 200)
