"""What data cost in memory: `python -m benchmarks.memory`, in MB of anonymous memory, on Linux.

First one large agent among many small ones: what the problem holds, and what a solve adds to it, against the bytes
given. Then two processes of one run, each with its own half of the agents, whose data are read from a file on disk.
Each number is the peak in a process of its own less that of the same program on hardly any data.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = 20


def anonymous_memory() -> float:
    """Returns this process's anonymous memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon"))


class Peak:
    """The largest anonymous memory while active, in MB."""

    def __enter__(self) -> "Peak":
        """Starts to look."""
        self.value, self._over = anonymous_memory(), False
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self._over = True
        self._thread.join()

    def _look(self) -> None:
        while not self._over:
            self.value = max(self.value, anonymous_memory())
            time.sleep(0.002)


def losses() -> tuple[Any, Any]:
    """Returns the losses of ridge regression, whose weight is the upper variable."""
    import jax.numpy as jnp

    upper = lambda x, y, b: jnp.mean((b["a"] @ y - b["b"]) ** 2)
    lower = lambda x, y, b: upper(x, y, b) + jnp.exp(x) * jnp.sum(y**2)
    return upper, lower


def unequal(large: int, sampled: bool) -> None:
    """Prints what is held of 64 agents, and what a solve adds; the first of them has so many rows."""
    import jax

    import hypergossip as hg

    random = np.random.default_rng(0)
    rows = lambda count: {"a": random.standard_normal((count, 1000), np.float32), "b": np.ones(count, np.float32)}
    data = [rows(count) for count in (large, *[10] * 63)]
    given = sum(leaf.nbytes for own in data for leaf in own.values()) / 1e6
    problem = hg.Problem(
        *losses(),
        upper_data=data,
        lower_data=data,
        x0=np.zeros(()),
        y0=np.zeros(1000),
        batch_size=5 if sampled else None,
    )
    jax.block_until_ready(problem.oracles)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(problem.oracles)) / 1e6
    method = hg.DSGD(1e-4, 1e-4, hg.ConjugateGradient(3))
    del data
    before = anonymous_memory()
    with Peak() as peak:
        hg.solve(method, problem, hg.networks.ring(64), rounds=ROUNDS, observe_every=ROUNDS, progress=False)
    print(given, held, peak.value - before)


def one_process(place: str, rows: int, process: int, port: int) -> None:
    """Runs one of two processes on the data of a file, (16, rows, 1000), and prints its peak."""
    import jax

    jax.config.update("jax_num_cpu_devices", 1)
    jax.distributed.initialize(f"localhost:{port}", 2, process)
    import hypergossip as hg

    data = np.load(place, mmap_mode="r")
    loaded = []

    def load(i: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        loaded.append(i)
        own = {"a": data[i, :rows], "b": np.ones(rows, np.float32)}
        return own, own

    with Peak() as peak:
        problem = hg.Problem.from_agents(
            *losses(), n=16, load=load, x0=np.zeros(()), y0=np.zeros(data.shape[2]), batch_size=5
        )
        method = hg.DSGD(1e-4, 1e-4, hg.ConjugateGradient(3))
        result = hg.solve(
            method, problem, hg.networks.ring(16), rounds=ROUNDS, observe_every=ROUNDS, engine=hg.Sharded()
        )
    print(peak.value, len(set(loaded)), result.history["metric"].iloc[-1])


def run(*arguments: object) -> subprocess.Popen:
    """Starts this program with arguments."""
    command = [sys.executable, "-m", "benchmarks.memory", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def numbers(process: subprocess.Popen) -> list[float]:
    """Returns the numbers of the last line that a process prints."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a process ended with code {process.returncode}.")
    return [float(word) for word in out.split("\n")[-2].split()]


def main(gigabytes: float) -> None:
    """Prints the tables."""
    for sampled in (0, 1):
        given, held, added = numbers(run("--unequal", 20_000, sampled))
        _, _, empty = numbers(run("--unequal", 10, sampled))
        print(
            f"64 agents, one of 20,000 rows, {'batches of 5' if sampled else 'all rows'}: given {given:.0f} MB, held "
            f"{held / given:.2f} times that; a solve adds {(added - empty) / given:.2f} times that.",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        rows = int(gigabytes * 1e9 / 16 / 1000 / 4)
        place = Path(folder) / "data.npy"
        data = np.lib.format.open_memmap(place, "w+", np.float32, (16, rows, 1000))
        for i in range(16):
            data[i] = np.random.default_rng(i).standard_normal((rows, 1000), np.float32)
        data.flush()
        del data
        peaks = {}
        for count, port in ((rows, 29871), (10, 29872)):
            both = [run("--process", place, count, process, port) for process in range(2)]
            peaks[count] = [numbers(process) for process in both]
        for process, (full, empty) in enumerate(zip(peaks[rows], peaks[10], strict=True)):
            print(
                f"process {process} of 2, {gigabytes:g} GB on disk: {full[1]:.0f} agents loaded, "
                f"{(full[0] - empty[0]) / 1e3 / gigabytes:.2f} of the data's size above that of an empty run."
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--unequal", nargs=2, type=int)
    parser.add_argument("--process", nargs=4)
    given = parser.parse_args()
    if given.unequal:
        unequal(given.unequal[0], bool(given.unequal[1]))
    elif given.process:
        one_process(given.process[0], *map(int, given.process[1:]))
    else:
        main(given.gigabytes)
