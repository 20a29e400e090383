"""Where the tests find the real files, and a world without any."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_files() -> Path:
    """The folder of real data files; a test that asks for it is skipped where there is none."""
    named = os.environ.get("HYPERGOSSIP_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "a9a.gz").is_file():
        pytest.skip("the real data files are in neither $HYPERGOSSIP_DATA nor ../shared/data")
    return folder


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, and no $HYPERGOSSIP_DATA."""
    monkeypatch.delenv("HYPERGOSSIP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def no_files(empty_cache: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty cache, no $HYPERGOSSIP_DATA and no network; the value collects the addresses that are asked for."""
    asked: list[str] = []

    def fail(url: str, **_: object) -> None:
        asked.append(url)
        raise OSError("Network is unreachable")

    monkeypatch.setattr("sklearn.datasets.fetch_file", fail)
    return asked
