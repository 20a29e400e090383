"""Runs that are killed at random moments and resumed: `python -m studies.kills --times 30`, on each engine.

A run with frequent checkpoints is ended by SIGKILL at moments that are uniform over the time of a whole run, start and
compilation included, and started again each time until it ends. Kills count where they leave a checkpoint. Then the
numbers of its agents, of the channel's state, of the history and of the costs are compared bit for bit with those of a
run that nobody killed. `--channels` chooses what the messages pass; both channels have a state at senders and links.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = {"Simulated": 70_000, "Sharded": 16_000, "Debug": 6}
CHANNELS = "none", "edge_sums", "common_copy"
AGENTS = 8


def stages(name: str) -> Any:
    """Returns the stages of a channel, or None."""
    from hypergossip import channels

    one_sided = channels.Loss(0.3, symmetric=False)
    return {
        "none": None,
        "edge_sums": [channels.EdgeSums(), channels.Delay(1), one_sided],
        "common_copy": [channels.CommonCopy(), channels.Quantize(4, rounding="stochastic")],
    }[name]


def one_run(engine: str, channel: str, folder: str) -> None:
    """Runs DIAMOND on noisy quadratics, or resumes it, with a checkpoint every 50 ms."""
    import jax

    jax.config.update("jax_num_cpu_devices", 4)
    import hypergossip as hg

    problem = hg.problems.quadratic(AGENTS, noise=0.1)
    algorithm = hg.Diamond(0.02, 0.05, 0.3, 0.3, hg.ConjugateGradient(4))
    rounds = ROUNDS[engine]
    ring = hg.networks.ring(AGENTS)
    lazy = hg.networks.from_mixing((np.eye(AGENTS) + ring.mixing.toarray()) / 2)  # averages of late messages converge
    hg.solve(
        algorithm,
        problem,
        lazy,
        rounds=rounds,
        channel=stages(channel),
        observe_every=max(rounds // 10, 1),
        engine=getattr(hg, engine)(),
        checkpoint=folder,
        checkpoint_every=0.05,
        measure="upper_loss",
        check=False,
    )


def start(engine: str, channel: str, folder: Path) -> subprocess.Popen:
    """Starts the run in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "studies.kills", "--run", engine, channel, str(folder)])


def difference(one: Path, other: Path) -> str:
    """Says what is not equal, bit for bit, in two checkpoints; nothing if all is. Seconds are not compared."""
    from hypergossip.running import snapshot as checkpoint

    ours, theirs = checkpoint.read(one), checkpoint.read(other)
    if ours.round != theirs.round:
        return f"rounds {ours.round} and {theirs.round}"
    pairs = {f"state {k}": pair for k, pair in enumerate(zip(ours.leaves, theirs.leaves, strict=True))}
    pairs |= {f"cost {name}": (getattr(ours.cost, name), getattr(theirs.cost, name)) for name in ours.cost._fields}
    pairs |= {name: (ours.rows[name], theirs.rows[name]) for name in ours.rows if name != "seconds"}
    return ", ".join(name for name, (a, b) in pairs.items() if np.asarray(a).tobytes() != np.asarray(b).tobytes())


def arrays(folder: Path) -> int:
    """Returns the number of arrays of the state in a checkpoint, those of the channel included."""
    from hypergossip.running import snapshot as checkpoint

    return len(checkpoint.read(folder).leaves)


def killed(engine: str, channel: str, times: int, random: np.random.Generator) -> None:
    """Kills runs on an engine under a channel so many times, and says what came of it."""
    case = f"{engine}, channel {channel}"
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        begin = time.monotonic()
        if start(engine, channel, whole).wait():
            raise SystemExit(f"{case}: the run that nobody kills failed.")
        seconds = time.monotonic() - begin
        kills = resumed = runs = 0
        while resumed < times:
            folder = Path(place) / str(runs)
            while True:
                process = start(engine, channel, folder)
                try:
                    process.wait(random.uniform(0, seconds) if resumed < times else None)
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    kills, resumed = kills + 1, resumed + (folder / "checkpoint.npz").exists()
                    continue
                break
            if process.returncode:
                raise SystemExit(f"{case}: a resumed run failed.")
            if found := difference(whole, folder):
                raise SystemExit(f"{case}: after {kills} kills a resumed run differs in {found}.")
            runs += 1
        print(
            f"{case}: {kills} kills in {runs} runs of {seconds:.1f} s, {resumed} of them with a checkpoint to resume "
            f"from; every run ended with the same bits, in {arrays(whole)} arrays of state.",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--engines", nargs="+", default=list(ROUNDS), choices=list(ROUNDS))
    parser.add_argument("--channels", nargs="+", default=list(CHANNELS), choices=list(CHANNELS))
    parser.add_argument("--run", nargs=3)
    given = parser.parse_args()
    if given.run:
        one_run(*given.run)
    else:
        for name in given.engines:
            for channel in given.channels:
                killed(name, channel, given.times, np.random.default_rng(0))
