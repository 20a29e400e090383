"""The tests' own switches: float64 (unless they try what users run), CPU devices, the real data, and no data at all."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import jax
import jaxtyping
import matplotlib
import pytest

from fast_compile import USERS_PRECISION, compile_fast

jax.config.update("jax_enable_x64", not os.environ.get(USERS_PRECISION))
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_num_cpu_devices", 8)
matplotlib.use("Agg")
compile_fast()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it runs in the background ignore SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data files; tests that need it are skipped elsewhere."""
    for place in (os.environ.get("HYPERGOSSIP_DATA"), Path(__file__).parents[2] / "shared" / "data"):
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("the real data files are neither in $HYPERGOSSIP_DATA nor in ../shared/data")


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

    monkeypatch.setattr("pooch.retrieve", fail)
    return asked


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library as users run it, without the types that the tests check before a function is entered."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


LONG = ("test_users_compiler.py", "test_sinusoids.py")  # files
SAME_PROGRAM = {"Sustain": "Diamond", "LoPA": "SOBA"}
MEMORY = 3e9  # bytes that a worker may hold before it forgets what it has compiled


def _group(nodeid: str) -> str:
    """What shares compiled programs or fixtures, and so a worker of `pytest -n`: a method's laws, or a file's tests."""
    file, _, test = nodeid.partition("::")
    method = re.search(r"\[.*?\b([A-Z][A-Za-z]+)", test)  # the first capitalised word among the test's parameters
    if method is None or not any(f"{folder}/" in file for folder in ("laws", "algorithms", "recorded")):
        return file
    return SAME_PROGRAM.get(method[1], method[1])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals groups, in their order, to the workers; not by marks, which pytest-xdist 3.8 loses under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    config.option.loadscopereorder = False  # it would leave groups of few tests, however long, to the end
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with what takes long, so that no worker works alone at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


def _memory() -> int:
    """The bytes that this process holds; 0 where the system does not say."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Forgets compiled programs between one group and the next, where there are too many of them."""
    if nextitem is None or item.path == nextitem.path or _group(item.nodeid) == _group(nextitem.nodeid):
        return
    if _memory() > MEMORY:
        jax.clear_caches()


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """The folder of the screenshots."""
    return Path(__file__).parents[1] / "artefacts" if os.environ.get("CI") else tmp_path_factory.mktemp("artefacts")
