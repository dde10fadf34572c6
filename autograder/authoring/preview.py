"""A page that shows the released notebook, and loads itself again when that is written anew: for the author's own browser."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat

RELOAD = """<script>
let shown = "%s";
setInterval(async () => {
  const now = await fetch("version").then(reply => reply.text()).catch(() => shown);
  if (now !== shown) location.reload();
}, 400);
</script>"""


@contextlib.contextmanager
def preview(notebook: Path) -> Iterator[str | None]:
    """Serve a notebook to this machine alone, as a page; yields its address, or None where nbconvert is not installed."""
    if importlib.util.find_spec("nbconvert") is None:
        yield None
        return

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = _version(notebook) if self.path == "/version" else page(notebook) if self.path == "/" else None
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((content or "").encode())

        def log_message(self, format: str, *args) -> None:
            """Nothing: the terminal shows the author's table."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def page(notebook: Path) -> str:
    """The notebook as HTML, with a script that loads the page again when the file has changed."""
    from nbconvert import HTMLExporter  # lazy: it takes a second, which no build needs

    version = _version(notebook)
    if not version:
        return f"<p>It has not been built yet.</p>{RELOAD % version}"
    body, _ = HTMLExporter().from_notebook_node(nbformat.read(notebook, as_version=4))
    return body.replace("</body>", f"{RELOAD % version}</body>")


def _version(notebook: Path) -> str:
    try:
        return str(notebook.stat().st_mtime_ns)
    except OSError:
        return ""
