"""The command line keeps compiled programs on disk; histories are the same with and without them, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from fast_compile import users_environment

CONFIGURATION = """
[problem]
name = "quadratic"
noise = 0.1
[network]
name = "ring"
n = 3
[run]
rounds = 20
seeds = 2
observe_every = 10
[methods.D-SGD]
algorithm = "dsgd"
upper_step = 0.05
lower_step = 0.1
hypergradient = { name = "conjugate_gradient", iterations = 5 }
"""


def run(folder: Path, name: str, **variables: str) -> pd.DataFrame:
    """One command in a process of its own, and its history without the seconds."""
    (folder / "config.toml").write_text(CONFIGURATION)
    environment = users_environment() | {"XDG_CACHE_HOME": str(folder / "cache"), **variables}
    command = [sys.executable, "-m", "hypergossip", "run", "--config", "config.toml", "--out", name]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=300)
    (history,) = (folder / name).rglob("history.parquet")
    return pd.read_parquet(history).drop(columns="seconds")


def test_a_second_run_reads_what_the_first_has_compiled(tmp_path: Path):
    cached = lambda: {path.name for path in (tmp_path / "cache").rglob("*-cache")}
    without = run(tmp_path, "without", JAX_ENABLE_COMPILATION_CACHE="false")
    assert not cached()
    cold = run(tmp_path, "cold")
    written = cached()
    assert len(written) > 5
    warm = run(tmp_path, "warm")
    assert cached() == written
    pd.testing.assert_frame_equal(without, cold, check_exact=True)
    pd.testing.assert_frame_equal(cold, warm, check_exact=True)


def test_a_cache_that_cannot_be_made_is_no_error(tmp_path: Path):
    (tmp_path / "cache").write_text("a file in the folder's place")
    assert len(run(tmp_path, "run")) == 6


def test_the_option_in_python(tmp_path: Path):
    program = f"""
import hypergossip as hg
folder = hg.use_compilation_cache({str(tmp_path / "own")!r})
hg.solve(hg.DSGD(0.05, 0.1, hg.Exact()), hg.problems.quadratic(3), hg.networks.ring(3), rounds=2)
assert list(folder.glob("*-cache")), folder
"""
    subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=True, timeout=300)
