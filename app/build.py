"""The page: a head, the tabs in order, and the links into them."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from pathlib import Path

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app import api, files, links, scripts
from app.ahead import ahead
from app.hero import hero, title
from app.store import Store
from app.tabs import (
    compare,
    confusion,
    denoise,
    export,
    generate,
    inspect,
    judges,
    lookalikes,
    play,
    reports,
    restore,
    scores,
    studies,
    training,
    tuning,
)
from app.theme import style, theme
from app.warm import warm
from app.widgets import LANE, QUIET, guarded, still
from app.zerogpu import on_gpu
from diffusion_core.data import ROOT

CHECKPOINTS = ROOT / "checkpoints"
TABS = {
    "generate": generate,
    "denoise": denoise,
    "play": play,
    "inspect": inspect,
    "scores": scores,
    "confusion": confusion,
    "lookalikes": lookalikes,
    "compare": compare,
    "training": training,
    "tuning": tuning,
    "studies": studies,
    "restore": restore,
    "export": export,
    "judges": judges,
    "reports": reports,
}
QUEUE = 64  # requests that may wait; more are refused at once


def build(store: Store) -> gr.Blocks:
    """The page over the checkpoints and reports of a store."""
    with gr.Blocks(title=title(store), analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        still(hero(store), elem_id="head")
        built, opens = {}, {}
        with gr.Tabs(elem_id="tabs") as tabs:
            for key, module in TABS.items():
                with gr.Tab(module.TITLE, id=key) as opens[key]:
                    built[key] = module.build(store)
        every = [setting for tab in built.values() for setting in tab.settings]

        def arrive(request: gr.Request) -> list:
            view = links.read(dict(request.query_params), TABS)
            chosen = [value for tab in built.values() for value in tab.opened(view)]
            return [gr.Tabs(selected=view.tab or "generate"), *chosen]

        arrived = page.load(guarded(store, arrive), None, [tabs, *every], js=scripts.ARRIVE, **QUIET)
        arrived.then(None, js=scripts.ARRIVED, **QUIET)
        arrived.failure(None, js=scripts.ARRIVED, **QUIET)
        for key, tab in built.items():
            if tab.heavy:  # not before somebody looks: visitors who only generate would wait for it
                begun = opens[key].select(tab.show, tab.settings, tab.outputs, **LANE, **QUIET)
                if tab.stop:
                    tab.stop.click(None, cancels=[begun])
            else:
                arrived.then(tab.show, tab.settings, tab.outputs, **QUIET)
        for name, function in api.endpoints(store).items():
            handler = guarded(store, function)
            if name in api.HEAVY:
                gr.api(on_gpu(handler), api_name=name, **LANE)
            else:
                gr.api(handler, api_name=name)
    return page.queue(max_size=QUEUE, default_concurrency_limit=4)


async def healthy(request: Request) -> JSONResponse:
    """What a load balancer asks for: this answers as long as the server does."""
    return JSONResponse({"status": "ok"})


def launch(host: str = "127.0.0.1", port: int = 7860, root: Path = CHECKPOINTS) -> None:
    """Serve the page until interrupted. Nothing is written outside gradio's cache but an export while it is made.

    Nothing is fetched but a Hub repository that a visitor names.
    """
    store = Store(root)
    page = build(store)
    server, *_ = page.launch(
        server_name=host,
        server_port=port,
        theme=theme(),
        head=style() + ahead(),
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        max_file_size="2mb",
        allowed_paths=[],
        strict_cors=True,
        footer_links=[],
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        app_kwargs={"openapi_url": None, "docs_url": None, "redoc_url": None},
    )
    ours = [Route("/healthz", healthy), Route("/reports/{name}/{id}/{file}", files.report_file(store))]
    server.router.routes[:0] = ours  # before gradio's own, which take any name for a page
    warm(store)
    page.block_thread()
