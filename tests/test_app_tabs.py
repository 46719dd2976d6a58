"""A tab is one file and one line: what the page needs of it is `TITLE` and `build(store)`."""

import asyncio
import importlib.util
from types import SimpleNamespace

import gradio as gr

from app import build as page
from app.links import View, read
from app.store import Store

FILE = """
from app.store import Store
from app.widgets import Tab, still

TITLE = "Weather"


def build(store: Store) -> Tab:
    show = still("nothing yet", elem_id="weather")
    return Tab([], [show], lambda: f"sunny over {len(store.checkpoints())} checkpoints", lambda view: [])
"""


def test_a_new_tab_is_a_file_and_a_line(tmp_path, monkeypatch):
    path = tmp_path / "weather.py"
    path.write_text(FILE)
    spec = importlib.util.spec_from_file_location("weather", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert read({"tab": "weather"}, page.TABS) == View()
    monkeypatch.setitem(page.TABS, "weather", module)  # the one line

    async def inside():  # without an event loop gradio makes several of its own and closes none
        return page.build(Store(tmp_path / "checkpoints"))

    built = asyncio.run(inside())
    headers = [block for block in built.blocks.values() if isinstance(block, gr.Tab)]
    assert [tab.id for tab in headers] == list(page.TABS) and headers[-1].label == "Weather"
    (content,) = [block for block in built.blocks.values() if block.elem_id == "weather"]
    assert content.parent is headers[-1] and content.value == "nothing yet"
    (fills,) = [f for f in built.fns.values() if content in f.outputs]
    assert fills.fn() == "sunny over 0 checkpoints"  # what the page asks for when it has arrived
    (arrive,) = [f for f in built.fns.values() if f.fn is not None and ("load" in dict(f.targets).values())]
    selected, *_ = arrive.fn(SimpleNamespace(query_params={"tab": "weather"}))
    assert selected.selected == "weather"
