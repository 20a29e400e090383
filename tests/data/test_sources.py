"""Places, checksums and downloads, on a small file whose checksum the test itself computes."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from hypergossip.data import DataUnavailable
from hypergossip.data.sources import Source, cache_folder, obtain, read_checked

CONTENT = b"3 1:1\n" * 50
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SOURCE = Source("small", ("small.txt.gz", "small.txt"), "inner", "https://example.org/data/small.txt", SHA256)
OTHER = b"not the published content"

decode = partial(read_checked, sha256=SHA256)


class Published(NamedTuple):
    """What a server of the test's own publishes: the file as a source, its content on disk, and what was asked for."""

    source: Source
    path: Path
    asked: list[str]


@pytest.fixture
def published(empty_cache: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Published]:
    asked: list[str] = []
    path = tmp_path / "web" / "data" / "small.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "web"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Published(SOURCE._replace(url=f"http://127.0.0.1:{server.server_port}/data/small.txt"), path, asked)
        server.shutdown()


@pytest.mark.parametrize("inner", ["", "inner"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_found_plain_or_packed_with_or_without_its_folder(
    tmp_path: Path, no_files: list[str], inner: str, packed: bool
):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    name = "small.txt.gz" if packed else "small.txt"
    (folder / name).write_bytes(gzip.compress(CONTENT) if packed else CONTENT)
    assert obtain(SOURCE, decode, tmp_path) == CONTENT
    assert no_files == []


def test_places_are_tried_in_order(tmp_path: Path, no_files: list[str], monkeypatch: pytest.MonkeyPatch):
    places = [tmp_path / "named", cache_folder(), tmp_path / "shared"]
    monkeypatch.setenv("HYPERGOSSIP_DATA", str(places[2]))
    for place in places:
        place.mkdir(parents=True)
        (place / "small.txt").write_bytes(CONTENT)
    for place in places:
        assert obtain(SOURCE, lambda path: path.parent, places[0]) == place
        (place / "small.txt").unlink()
    with pytest.raises(DataUnavailable):
        obtain(SOURCE, decode, places[0])
    assert no_files == [SOURCE.url]


def test_a_damaged_file_in_the_cache_is_passed_over(
    tmp_path: Path, no_files: list[str], monkeypatch: pytest.MonkeyPatch
):
    cache_folder().mkdir(parents=True)
    damaged = cache_folder() / "small.txt"
    damaged.write_bytes(OTHER)
    with pytest.raises(DataUnavailable, match=r"small\.txt is damaged or unreadable .*; the download of https"):
        obtain(SOURCE, decode, None)
    monkeypatch.setenv("HYPERGOSSIP_DATA", str(tmp_path))
    (tmp_path / "small.txt").write_bytes(CONTENT)
    assert obtain(SOURCE, decode, None) == CONTENT


def test_a_download_lands_in_the_cache_is_not_repeated_and_replaces_a_damaged_file(published: Published):
    for _ in range(2):
        assert obtain(published.source, decode, None) == CONTENT
    assert published.asked == ["/data/small.txt"]
    (kept,) = (cache_folder() / "inner").iterdir()
    assert kept.name == "small.txt"
    kept.write_bytes(OTHER)
    assert obtain(published.source, decode, None) == CONTENT == kept.read_bytes()
    assert published.asked == 2 * ["/data/small.txt"]


def test_a_download_of_other_content_is_refused_and_not_kept_and_so_is_a_missing_file(published: Published):
    published.path.write_bytes(OTHER)
    with pytest.raises(DataUnavailable, match=r"download of http://127\.0\.0\.1:\d+/data/small\.txt failed .*SHA256"):
        obtain(published.source, decode, None)
    assert list((cache_folder() / "inner").iterdir()) == []
    published.path.unlink()
    with pytest.raises(DataUnavailable, match=r"failed \(HTTPError: 404 .*; put the file in one of these folders"):
        obtain(published.source, decode, None)


def test_the_cache_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hypergossip"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path.home() / ".cache" / "hypergossip"
