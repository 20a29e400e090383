"""The page's server: its headers, events, and bounds."""

import http.client
import json
import socket
import threading
import time

import pytest
from small_network import RUN
from test_watch_reports import PLAN, payload

from hypergossip.lab.watching import server as page_server
from hypergossip.lab.watching.collector import Collector
from hypergossip.lab.watching.server import PageServer


@pytest.fixture
def collector():
    collector = Collector(PLAN)
    for number in range(3):
        collector.take(str(number), payload(number))
    return collector


@pytest.fixture
def port(collector, monkeypatch):
    monkeypatch.setattr(page_server, "INTERVAL", 0.1)
    with PageServer(collector) as server:
        assert server.address.startswith("http://127.0.0.1:")
        yield int(server.address.rstrip("/").rpartition(":")[2])
    settled(0)


def handlers():
    return [thread for thread in threading.enumerate() if "process_request" in thread.name]


def settled(count, seconds=5.0):
    end = time.monotonic() + seconds
    while len(handlers()) > count:
        assert time.monotonic() < end, handlers()
        time.sleep(0.02)


def ask(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def stream(port):
    """An open stream of events."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection


def read_until(connection, mark, most=200_000):
    text = b""
    while mark not in text:
        part = connection.recv(65_536)
        assert part, text
        text += part
        assert len(text) < most
    return text


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/network.js", "/curves.js", "/icon.svg"])
def test_every_file_is_served_with_a_strict_policy(port, path):
    answer, body = ask(port, path)
    assert answer.status == 200
    policy = answer.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Access-Control-Allow-Origin") is None
    assert b"http" not in body.replace(b"http://www.w3.org/", b"")  # no other source


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:1:2"])
def test_another_host_name_is_refused(port, host):
    answer, body = ask(port, "/state.json", Host=host)
    assert answer.status == 421
    assert RUN.encode() not in body


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:8000", "LOCALHOST"])
def test_this_machine_has_two_names_on_any_port_as_through_a_tunnel(port, host):
    assert ask(port, "/state.json", Host=host)[0].status == 200


@pytest.mark.parametrize("path", ["/x", "/../pyproject.toml", "/page/../server.py", "/events/"])
def test_there_are_no_other_paths(port, path):
    assert ask(port, path)[0].status == 404


def test_it_listens_on_this_machine_alone(port):
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    assert page_server.HOST == "127.0.0.1"


def test_events(port, collector):
    connection = stream(port)
    try:
        text = read_until(connection, b"event: now\ndata: {")
        assert b"text/event-stream" in text
        collector.take("3", payload(3, round=123))
        text += read_until(connection, b"123 of 200")
        start = text.partition(b"event: start\ndata: ")[2].partition(b"\n")[0]
        read = json.loads(start)
        assert read["run"] == RUN
        assert read["edges"] == [[0, 1], [0, 3], [1, 2], [2, 3]]
        assert len(read["histories"]["0"]) == 1
    finally:
        connection.close()


def test_closed_pages_leave_no_threads(port):
    for _ in range(3):
        connections = [stream(port) for _ in range(20)]
        for connection in connections:
            read_until(connection, b"event: now")
        assert len(handlers()) >= 20
        for connection in connections:
            connection.close()
        settled(0)


def test_the_number_of_pages_is_bounded(port):
    connections = [stream(port) for _ in range(page_server.MAX_STREAMS)]
    try:
        for connection in connections:
            read_until(connection, b"event: now")
        answer, body = ask(port, "/events")
        assert answer.status == 503
        assert b"close some" in body
        assert ask(port, "/")[0].status == 200
        silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(page_server.MAX_REQUESTS)]
        assert len(handlers()) <= page_server.MAX_REQUESTS
        connections += silent
    finally:
        for connection in connections:
            connection.close()
    settled(0)


def test_one_who_does_not_read_is_given_up(port, monkeypatch, collector):
    monkeypatch.setattr(page_server._Handler, "timeout", 0.3)
    monkeypatch.setattr(page_server, "INTERVAL", 0.001)
    connection = stream(port)
    try:
        settled(0, 20.0)
    finally:
        connection.close()


def test_a_port_in_use(collector):
    with PageServer(collector) as server:
        used = int(server.address.rstrip("/").rpartition(":")[2])
        with pytest.raises(ValueError, match=f"cannot use port {used}"):
            PageServer(collector, used)
