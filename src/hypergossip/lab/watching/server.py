"""The page's server: on this machine only, with the standard library, and events that the server sends."""

import selectors
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, cast

from hypergossip.lab.watching import advice, messages
from hypergossip.lab.watching.collector import Collector
from hypergossip.lab.watching.layout import positions

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")  # another name in a request: a foreign site that resolves to this machine
INTERVAL = 1.0  # seconds between two events
PATIENCE = 10.0  # seconds that a browser may neither read nor write
MAX_REQUESTS = 48  # at a time
MAX_STREAMS = 32
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/network.js": ("network.js", "text/javascript; charset=utf-8"),
    "/curves.js": ("curves.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
# The page has no other source than this server, and the browser refuses to read any text as HTML.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer:
    """Serves the page of a network while it is entered.

    Args:
        collector: What knows the network.
        port: The port, 0 for a free one.

    Raises:
        ValueError: If the port cannot be used.
    """

    def __init__(self, collector: Collector, port: int = 0) -> None:
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ValueError(f"the page cannot use port {port} ({reason}); give another --port, or none.") from None
        self._server.collector = collector
        plan = collector.plan
        self._server.places = positions([agent.number for agent in plan.agents], plan.edges())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="page", daemon=True)

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def __enter__(self) -> "PageServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: Collector
    places: Mapping[int, tuple[float, float]]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.stop = threading.Event()
        self.requests = threading.BoundedSemaphore(MAX_REQUESTS)
        self.streams = threading.BoundedSemaphore(MAX_STREAMS)
        self._advice, self._asked = "", threading.Lock()

    def advice(self) -> str:
        """Returns a sentence if nobody answers; the addresses are tried once."""
        view = self.collector.view()
        if view.heard or view.time < advice.PATIENCE:
            return ""
        with self._asked:
            self._advice = self._advice or advice.silence(self.collector)
            return self._advice

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.requests.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.requests.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a browser may close a connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version, sys_version = "hypergossip", ""

    @property
    def _own(self) -> _Server:
        return cast(_Server, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing, so that the terminal shows the network alone."""

    def do_GET(self) -> None:
        """Answers a request."""
        name, _, port = self.headers.get("Host", "").rpartition(":")
        if (name or port).lower() not in NAMES or len(self.headers.get_all("Host", [])) != 1:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"Open the page as 127.0.0.1 or localhost.\n")
        elif self.path == "/events":
            self._events()
        elif self.path == "/state.json":
            body = messages.encoded(messages.now(self._own.collector, self._own.advice()))
            self._answer(HTTPStatus.OK, body, "application/json")
        elif self.path in FILES:
            file, kind = FILES[self.path]
            self._answer(HTTPStatus.OK, (files("hypergossip.lab.watching") / "page" / file).read_bytes(), kind)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self._headers(kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _headers(self, kind: str) -> None:
        self.send_header("Content-Type", kind)
        for header, value in HEADERS.items():
            self.send_header(header, value)

    def _events(self) -> None:
        if not self._own.streams.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"Too many pages are open; close some.\n")
            return
        try:
            self.send_response(HTTPStatus.OK)
            self._headers("text/event-stream; charset=utf-8")
            self.end_headers()
            self._send("start", messages.start(self._own.collector, self._own.places))
            while True:
                self._send("now", messages.now(self._own.collector, self._own.advice()))
                if self._closed():
                    return
        except OSError:  # the browser has closed the page, or does not read
            pass
        finally:
            self._own.streams.release()

    def _send(self, event: str, message: dict[str, Any]) -> None:
        self.wfile.write(b"event: %s\ndata: %s\n\n" % (event.encode(), messages.encoded(message)))

    def _closed(self) -> bool:
        """Waits until the next event; returns whether the browser has closed the connection, or the server ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            # A browser sends nothing after its request, so that there is only an end to be read.
            return bool(selector.select(INTERVAL)) or self._own.stop.is_set()
