"""The program of a process that holds one traffic simulation and answers requests on its standard input.

The simulator libsumo, which takes a twentieth of the time of SUMO behind a socket, has one simulation in a process. The
program imports nothing of the library, so that the process starts within a second.
"""

import os
import pickle
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

LANES = "lanes.add.xml"  # what SUMO is to write about every lane: one interval for the whole simulation
LANE_DATA = '<additional><laneData id="all" file="lanes.xml" withInternal="true"/></additional>\n'
MEASURED = f"--summary-output summary.xml --additional-files {LANES}"


class Simulation:
    """A simulation of sumo_rl, as it is asked for by the process of the game."""

    def __init__(self) -> None:
        self._sumo: Any = None

    def make(self, options: dict[str, Any], measured: bool) -> dict[str, tuple]:
        """Makes the simulation.

        Args:
            options: The arguments of `sumo_rl.SumoEnvironment`.
            measured: Whether SUMO writes its own measures into the current folder.

        Returns:
            Name of a signal -> its number of actions, the length of its observation and the lanes that lead to it.
        """
        sumo_rl = import_module("sumo_rl")
        more = "--no-step-log --duration-log.disable"
        if measured:
            with open(LANES, "w") as file:
                file.write(LANE_DATA)
            more = f"{more} {MEASURED}"
        quiet = {"add_system_info": False, "add_per_agent_info": False, "sumo_warnings": False}
        self._sumo = sumo_rl.SumoEnvironment(**options, **quiet, additional_sumo_cmd=more)
        signals = self._sumo.traffic_signals
        return {
            name: (int(one.action_space.n), int(one.observation_space.shape[0]), list(one.lanes))
            for name, one in signals.items()
        }

    def reset(self, seed: int) -> dict:
        """Begins an episode, and returns every signal's observation."""
        return self._sumo.reset(seed=seed)

    def step(self, actions: dict[str, int]) -> tuple[dict, dict, bool]:
        """Plays to the next decision; returns observations, rewards and whether the simulated time is over."""
        observations, rewards, over, _ = self._sumo.step(actions)
        return observations, {name: float(reward) for name, reward in rewards.items()}, bool(over["__all__"])

    def close(self) -> None:
        """Ends the simulation, whereupon SUMO completes its files."""
        if self._sumo is not None:
            self._sumo.close()


def prepare() -> None:
    """Sets what sumo_rl reads at its import: where SUMO is, and that libsumo is used if it is installed."""
    found = find_spec("sumo")
    if "SUMO_HOME" not in os.environ and found is not None and found.submodule_search_locations:
        os.environ["SUMO_HOME"] = found.submodule_search_locations[0]
    if find_spec("libsumo") is not None:
        os.environ["LIBSUMO_AS_TRACI"] = "1"


def main() -> None:
    """Answers requests until the standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what SUMO prints goes with the errors, not among the answers
    prepare()
    simulation = Simulation()
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        try:
            answer = True, getattr(simulation, name)(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()
    simulation.close()


if __name__ == "__main__":
    main()
