"""One process of a network over several: a program that programs/test_processes.py starts twice on this machine."""

import sys
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np


def main(port: str, number: int, folder: Path) -> None:
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
    import hypergossip as hg
    from engines import processes_run as run

    def said(name: str, action: Callable[[], object]) -> None:
        """Writes the sentence of what an action raises into a file of this process."""
        try:
            action()
        except (ValueError, IndexError, RuntimeError, hg.NotFinite, hg.Interrupted) as error:
            (folder / f"{name}.{number}").write_text(str(error))

    for agents in run.AGENTS:
        result = run.solve(agents, engine=hg.Sharded(), checkpoint=folder / f"{agents}")
        history = result.history.drop(columns="seconds").to_numpy()
        np.savez(folder / f"result.{agents}.{number}.npz", x=result.x, y=result.y, history=history)

    for kind, sizes in run.SIZES.items():
        asked: list[int] = []

        def load(i: int, asked: list[int] = asked, sizes: tuple[int, ...] = sizes) -> tuple:
            asked.append(i)
            return (run.data_of_agent(i, sizes[i]),) * 2

        problem = run.loaded(kind, load)
        result = run.solve_loaded(problem, engine=hg.Sharded(), checkpoint=folder / kind)
        history = result.history.drop(columns="seconds").to_numpy()
        np.savez(folder / f"loaded.{kind}.{number}.npz", x=result.x, y=result.y, history=history, asked=asked)
        said(f"agent 0, {kind}", lambda problem=problem: problem.agent(0))
        said(f"simulated, {kind}", lambda problem=problem: run.solve_loaded(problem))
        said(f"relabelled, {kind}", lambda problem=problem: problem.relabelled(range(8)))
        said(f"checked, {kind}", lambda problem=problem: hg.check_hypergradient(problem, hg.ConjugateGradient(2)))
    said("missing", lambda: run.loaded("equal", lambda i: [][i] if i == 6 else (run.data_of_agent(i, 6),) * 2))
    said("unlike data", lambda: run.loaded("equal", lambda i: ({"a": np.zeros((6, 3 + number))},) * 2))

    agents = run.AGENTS[0]
    timed = run.solve(agents, engine=hg.Sharded(), rounds=10**9, stop=hg.Stop(seconds=0.2), observe_every=10**9)
    (folder / f"timed.{number}").write_text(str(timed.rounds))
    said("diverged", lambda: run.solve(agents, 1e200, engine=hg.Sharded()))
    said("unlike", lambda: run.solve(agents, engine=hg.Sharded(), seed=number))
    elsewhere = folder / f"{agents}" if number == 0 else folder / "nowhere"
    said("elsewhere", lambda: run.solve(agents, engine=hg.Sharded(), checkpoint=elsewhere))

    told: list[int] = []

    def failing(row: dict) -> None:
        told.append(int(row["round"][0]))
        if told[-1] == 6:
            raise ValueError("the logger is gone")

    said("failed", lambda: run.solve(agents, engine=hg.Sharded(), on_row=failing))
    (folder / f"told.{number}").write_text(str(told))

    for name in run.SIGNALLED:

        def running(row: object, name: str = name) -> bool:
            (folder / f"running.{name}.{number}").touch()
            return False

        endless = {"rounds": 10**9, "observe_every": 50, "stop": running, "checkpoint": folder / name}
        said(f"interrupted.{name}", lambda settings=endless: run.solve(agents, engine=hg.Sharded(), **settings))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
