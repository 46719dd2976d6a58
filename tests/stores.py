"""What the page is built over, for tests of its handlers: known checkpoints and reports, and those that are shipped."""

import pytest

from app.store import Store
from diffusion_core.data import ROOT
from tests.pages import make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


@pytest.fixture(scope="module")
def shipped():
    return Store(ROOT / "checkpoints")
