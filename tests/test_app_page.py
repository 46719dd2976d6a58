"""The page as a whole: its listeners, its links, its errors and its escaping."""

import asyncio
import re
import subprocess
import sys

import gradio as gr
import pytest

import demo
from app import links, markup
from app.api import HEAVY
from app.build import TABS, build
from app.hero import hero
from app.links import View
from app.store import Store
from app.theme import STYLE, style
from app.widgets import LANE, UNEXPECTED, guarded
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from tests.pages import make_root

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("checkpoints"))


def built(root):
    """The page, built within an event loop: without one gradio makes several of its own and closes none."""

    async def inside():
        return build(Store(root))

    return asyncio.run(inside())


@pytest.fixture(scope="module")
def page(root):
    return built(root)


# ---------------------------------------------------------------- the page


def test_heavy_work_waits_in_one_lane_and_handlers_see_what_was_sent(page):
    functions = [f for f in page.fns.values() if f.fn is not None]
    heavy = [f for f in functions if f.concurrency_id == LANE["concurrency_id"]]
    # Generate draws, opens a card and varies a digit; Denoise walks when it is opened and for each of five controls;
    # Compare judges what a visitor brings; Play plays when it is opened, at every control and with
    # another seed; Restore restores when it is opened and at its button; Export draws.
    named = {f.api_name for f in functions if f.api_visibility == "public"}
    assert named == {"generate", "score", "report", "compare"}
    assert len(functions) > 40 and len(heavy) == 3 + 6 + 1 + 3 + 2 + 1 + len(HEAVY)
    assert sum(bool(f.types_generator) for f in heavy) == 2 + 3 + 1 + 1 and {f.concurrency_limit for f in heavy} == {1}
    assert all(f.api_visibility == "public" or not f.preprocess for f in functions)


def test_the_page_starts_without_clip(root):
    code = (
        "import sys, pathlib; from app.build import build; from app.store import Store;"
        "build(Store(pathlib.Path(sys.argv[1])));"
        "print({'torch', 'open_clip', 'timm', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, root], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'torch'}"


def test_an_empty_folder_makes_a_page(tmp_path):
    assert built(tmp_path).title == "Digits out of noise"
    assert "<img" not in hero(Store(tmp_path))


def test_the_head_shows_digits_of_the_first_report(root):
    html = hero(Store(root))
    assert html.count("data:image/png;base64,") == 1 and "88 samples" in html


def test_nothing_of_ours_is_fetched_from_elsewhere(root):
    for text in (style(), hero(Store(root))):
        assert not re.search(r"https?:|url\(|@import|src=\"(?!data:)", text)
    assert STYLE.exists()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ("127.0.0.1", 7860)),
        ({"SPACE_ID": "me/digits"}, ("0.0.0.0", 7860)),
        ({"HOST": "::1", "PORT": "80"}, ("::1", 80)),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7000", "PORT": "80"}, ("0.0.0.0", 7000)),
    ],
)
def test_the_demo_listens_where_it_is_told(monkeypatch, env, expected):
    for name in ("SPACE_ID", "HOST", "PORT", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert demo.address() == expected


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_bad_port_is_one_line(monkeypatch, port):
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(SystemExit, match="The port must be a number"):
        demo.address()


# ---------------------------------------------------------------- errors


def test_a_users_mistake_reaches_the_browser_as_one_escaped_line(root):
    def handler():
        raise UserError(f"{root.resolve()}/mnist/x: no {EVIL}\0.")

    with pytest.raises(gr.Error) as caught:
        guarded(Store(root), handler)()
    assert "<img" not in caught.value.message and str(root) not in caught.value.message
    assert caught.value.message.endswith("mnist/x: no &lt;img src=x onerror=alert(1)&gt;.")
    assert not caught.value.print_exception


def test_anything_else_says_nothing_about_the_machine(root, caplog):
    def handler():
        yield 1
        raise RuntimeError("/home/secret")

    stream = guarded(Store(root), handler)()
    assert next(stream) == 1
    with pytest.raises(gr.Error) as caught:
        next(stream)
    assert caught.value.message == UNEXPECTED and "secret" in caplog.text


def test_every_text_is_escaped():
    assert "<img src=x" not in markup.note(EVIL) + markup.table([EVIL], [(EVIL, EVIL, (EVIL, EVIL))], EVIL)
    assert "<img src=x" not in markup.copyable(EVIL, EVIL) + markup.link_button(links.write(a=EVIL + '"'))


# ---------------------------------------------------------------- links


def test_a_link_leads_back_to_its_view():
    view = View(
        "confusion", "mnist/p100", "early", (5, 6), "clip", "clip_margin", (1, 2), 3, 4, ("a", "b"), "lr", "ink", "2026"
    )
    link = links.write(**view._asdict())
    assert link.startswith("?tab=confusion&a=mnist/p100&b=early&cell=5,6&judge=clip")
    pairs = dict(pair.split("=") for pair in link[1:].split("&"))
    assert links.read(pairs, TABS) == view


@pytest.mark.parametrize(
    "params",
    [
        {
            "tab": "admin",
            "curve": "x",
            "order": "y",
            "runs": "",
            "cell": "5",
            "judge": "me",
            "metric": "fid",
            "digits": "a,b",
            "n": "-1",
            "seed": "1e9",
        },
        {"tab": "", "cell": "5,6,7", "judge": "", "digits": ",", "n": "", "seed": "\u0664"},
        {"a": "x" * 10_000, "cell": "5;6", "n": "9" * 300},
        {},
    ],
)
def test_odd_links_are_read_as_nothing(params):
    assert links.read(params, TABS) == View()


def test_every_tab_survives_an_odd_link(root):
    from app.tabs import compare, confusion, denoise, generate, inspect, scores, training

    view = View("confusion", "../x", "<b>", (5, 99), "clip", None, (77,), 10**9, 10**30)
    for tab in (generate, scores, confusion, compare, denoise, inspect):
        values = tab.opened(Store(root), view)
        assert values[0]["value"].split("/")[0] in ("mnist", "early")
    assert confusion.opened(Store(root), view)[5] is None
    assert training.opened(Store(root), view)[1:] == ["loss", training.SMOOTHING, True]
    assert denoise.opened(Store(root), view)[1:3] == ["5", "6"] and inspect.opened(Store(root), view)[4] is None
    assert generate.opened(Store(root), view)[1:4] == [[str(d) for d in range(10)], 1, 0]
