"""A public repository of the Hugging Face Hub -> the checkpoint in it. No gradio.

Two files are fetched, of one revision, without this machine's token: JSON and safetensors, neither of which can carry
code. They are checked as any checkpoint is, and gone from the disk when this returns.
"""

import re
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError, RepositoryNotFoundError
from huggingface_hub.utils import get_session

from app.request import MAX_STEPS
from diffusion_core.checkpoint import MANIFEST, WEIGHTS, CheckpointMeta, load, read_meta
from diffusion_core.denoiser import Denoiser
from diffusion_core.errors import UserError
from eval.sources import CheckpointSource

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
LIMITS = {MANIFEST: 1 << 20, WEIGHTS: 19 << 20}  # bytes; 20 MB together
MAX_BLOCKS = 8
TIMEOUT = 10.0  # seconds until the Hub must answer
PATIENCE = 60.0  # seconds that one file may take


def fetched(repository: str) -> CheckpointSource:
    """Images drawn from the checkpoint in `repository` ("owner/name") as it recommends.

    The source is called owner/name@REVISION. `UserError` in one line where there is no such thing, or no way to it.
    """
    if not NAME.fullmatch(repository) or ".." in repository or "--" in repository:
        raise UserError("A repository of the Hub is written owner/name.")
    with TemporaryDirectory() as folder:
        try:
            revision = _download(repository, Path(folder))
        except RepositoryNotFoundError:
            raise UserError(f"There is no public repository '{repository}' on the Hub.") from None
        except (HTTPError, OSError):
            raise UserError("The Hub cannot be reached. Try again later, or give a file.") from None
        try:
            _check(read_meta(folder))
            name = f"{repository}@{revision[:7]}"
            source = CheckpointSource(replace(load(folder), path=Path(name)))
        except UserError as error:
            raise UserError(f"{repository}: {str(error).replace(f'{folder}/', '')}") from None
        except Exception as error:  # a manifest can describe networks that nobody foresaw
            raise UserError(f"{repository} holds no checkpoint of this project ({type(error).__name__}).") from None
    source.info = replace(source.info, name=name, given=f"{repository}@{revision}")
    return source


def _download(repository: str, folder: Path) -> str:
    """Fetch both files into `folder`; the revision they are of."""
    hub = HfApi(token=False)
    info = hub.model_info(repository, files_metadata=True, timeout=TIMEOUT)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    for name, limit in LIMITS.items():
        if name not in sizes:
            raise UserError(f"{repository} has no {name}: it holds no checkpoint of this project.")
        if (sizes[name] or 0) > limit:
            raise UserError(f"{name} of {repository} is larger than {limit >> 20} MB.")
    for name, limit in LIMITS.items():
        (folder / name).write_bytes(_bytes(f"{hub.endpoint}/{repository}/resolve/{info.sha}/{name}", limit))
    return info.sha


def _bytes(address: str, limit: int) -> bytes:
    """What lies there, whatever the Hub said of its size; OSError where it is more than `limit`, or slow to come."""
    content, start = bytearray(), time.monotonic()
    with get_session().stream("GET", address, timeout=TIMEOUT, follow_redirects=True) as response:
        if response.status_code != 200:
            raise OSError(f"status {response.status_code}")
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > limit or time.monotonic() - start > PATIENCE:
                raise OSError("too much, or too slow")
    return bytes(content)


def _check(meta: CheckpointMeta) -> None:
    """Before the network is built: it must not fill the memory, nor compute for ever."""
    if meta.sample.validate().steps > MAX_STEPS or len(meta.sample.levels) > MAX_STEPS:
        raise UserError(f"it recommends {meta.sample.steps:,} steps; at most {MAX_STEPS} are drawn here.")
    if meta.network.blocks > MAX_BLOCKS:
        raise UserError(f"its network has {meta.network.blocks:,} blocks a level; at most {MAX_BLOCKS} are built here.")
    if meta.network.image != (1, 28, 28) or meta.network.classes != 10:
        raise UserError("its images are not 28x28 grey digits of ten classes.")
    with torch.device("meta"):  # shapes without memory
        size = sum(4 * p.numel() for p in Denoiser(meta.network).parameters())
    if size > LIMITS[WEIGHTS]:
        raise UserError(f"its network is larger than {LIMITS[WEIGHTS] >> 20} MB.")
