"""A server on this machine that answers as the Hugging Face Hub does: one public repository, two requests."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """`files` {name: content} of `repository`; `asked` collects (method, path, headers) of every request."""

    daemon_threads = True

    def __init__(self, repository: str, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repository, self.files, self.asked = repository, files, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        repository, files = self.server.repository, self.server.files
        start = f"/{repository}/resolve/{REVISION}/"
        if self.path.startswith(f"/api/models/{repository}"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            about = {"_id": "0", "id": repository, "sha": REVISION, "siblings": siblings}
            self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"})
        elif self.path.startswith(start) and self.path.removeprefix(start) in files:
            data = files[self.path.removeprefix(start)]
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            self._send(200, data, {"ETag": etag, "X-Repo-Commit": REVISION})
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(repository: str, folder: Path, monkeypatch):
    """The Hub as the client sees it holds the files of `folder` as `repository`."""
    hub = Hub(repository, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # CI sets it; this Hub is on this machine
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
