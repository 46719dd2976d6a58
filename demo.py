"""The page in a browser, and the entry of the Hugging Face Space: python demo.py"""

import os

from app.build import launch


def address() -> tuple[str, int]:
    """Host and port from the environment; a Space must listen on every interface."""
    default = "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1"
    host = os.environ.get("GRADIO_SERVER_NAME") or os.environ.get("HOST") or default
    port = os.environ.get("GRADIO_SERVER_PORT") or os.environ.get("PORT") or "7860"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise SystemExit(f"The port must be a number from 1 to 65535, not {port!r}.")
    return host, int(port)


if __name__ == "__main__":
    host, port = address()
    print(f"Open http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}", flush=True)
    launch(host, port)
