"""The files of a report over HTTP: GET /reports/NAME/ID/FILE. Only files that a report has, of reports on offer."""

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from app.entries import usable
from app.store import Store

FILES = {  # name: (what it is called on the page, media type)
    "report.html": ("Open", "text/html"),
    "report.json": ("JSON", "application/json"),
    "metrics.csv": ("CSV", "text/csv"),
    "samples.parquet": ("Parquet", "application/vnd.apache.parquet"),
    "images.npz": ("Images", "application/octet-stream"),
    "README.md": ("Card", "text/markdown"),
}
# The page of a report runs no script and asks nothing of anybody.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


def address(key: str, file: str) -> str:
    """Relative, so that it holds behind a proxy too."""
    return f"reports/{key}/{file}"


def report_file(store: Store):
    """The endpoint, run in a thread: it reads the disk. 404 in one line for anything that is not on offer."""

    def endpoint(request: Request) -> Response:
        key, file = f"{request.path_params['name']}/{request.path_params['id']}", request.path_params["file"]
        if file not in FILES or key not in [entry.key for entry in usable(store.reports())]:
            return PlainTextResponse("There is no such report.", 404)
        name, _, identity = key.partition("/")
        path = store.root / name / "reports" / identity / file
        if not path.is_file():
            return PlainTextResponse(f"This report has no {file}.", 404)
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        download = None if file == "report.html" else f"{name}-{file}"
        return FileResponse(path, media_type=FILES[file][1], filename=download, headers=headers)

    return endpoint
