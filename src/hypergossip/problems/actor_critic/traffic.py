"""Traffic signals as agents: SUMO's simulations, by the package sumo_rl, as PettingZoo parallel environments."""

import os
import pickle
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic import traffic_simulator
from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules
from hypergossip.support.arguments import choice, whole_number
from hypergossip.support.extras import check_installed
from hypergossip.support.registry import check_options

# RESCO's road networks with several signals, which sumo_rl has, and the second at which their traffic begins.
RESCO = {
    **{"grid4x4": 0, "arterial4x4": 0, "cologne3": 25_200, "cologne8": 25_200},
    **{"ingolstadt7": 57_600, "ingolstadt21": 57_600},
}
REWARDS = ("diff-waiting-time", "queue", "pressure", "average-speed")
WAIT = 3.0  # seconds in which a simulator ends before it is killed


class Roads(NamedTuple):
    """A road network.

    Attributes:
        net: The file of the roads and signals.
        route: The file of the traffic, or None if there is no usual one.
        begin: The second at which the traffic begins.
    """

    net: str
    route: str | None
    begin: int


def find_roads(net: str) -> Roads:
    """Returns a road network.

    Args:
        net: The name of one of RESCO's networks, or a file.

    Raises:
        MissingExtra: If it is one of RESCO's, and sumo_rl is not installed.
        ValueError: If there is no such network or file.
    """
    if isinstance(net, str) and net in RESCO:
        check_installed("traffic", f"The road network {net}", "sumo_rl")
        (package,) = getattr(find_spec("sumo_rl"), "submodule_search_locations", None) or ("",)
        folder = Path(package) / "nets" / "RESCO" / net
        traffic = next((str(file) for file in sorted(folder.glob("*.rou.xml"))), None)
        return Roads(_file("net", folder / f"{net}.net.xml"), traffic, RESCO[net])
    if not str(net).endswith(".xml"):
        raise ValueError(
            f"net is {net!r}; give one of RESCO's networks, {', '.join(RESCO)}, or a file of SUMO's, such as "
            "town.net.xml."
        )
    return Roads(_file("net", net), None, 0)


def _file(name: str, given: Any) -> str:
    """Returns the full path of a file that must exist."""
    path = Path(given) if isinstance(given, str | os.PathLike) else None
    if path is None or not path.is_file():
        raise ValueError(f"{name} is {given if path is None else str(path)!r}; give a file of SUMO's that exists.")
    return str(path.resolve())


class Signals(NamedTuple):
    """What a simulator tells about the signals of a network.

    Attributes:
        names: Their names.
        actions: The number of every signal's green phases.
        sizes: The length of every signal's observation.
        lanes: The lanes that lead to every signal.
    """

    names: list[str]
    actions: list[int]
    sizes: list[int]
    lanes: list[list[str]]


class Simulator:
    """A process with one simulation, which ends when this object is no longer used.

    Attributes:
        signals: The signals of its road network.
    """

    def __init__(self, options: dict[str, Any], folder: str | None = None) -> None:
        """Starts the process.

        Args:
            options: The arguments of `sumo_rl.SumoEnvironment`.
            folder: The folder for SUMO's measures; None measures nothing.

        Raises:
            RuntimeError: If there can be no such simulation.
        """
        self._printed, name = tempfile.mkstemp()
        os.unlink(name)  # the file is there until it is closed
        command = [sys.executable, "-P", str(Path(traffic_simulator.__file__))]
        # A new session: an interrupt from the terminal is for the process of the game.
        self._process = subprocess.Popen(
            command, stdin=-1, stdout=-1, stderr=self._printed, cwd=folder, start_new_session=True
        )
        self.end = weakref.finalize(self, _end, self._process, self._printed)
        try:
            found = self.ask("make", options, folder is not None)
        except RuntimeError as error:
            self.end()
            net, route = options["net_file"], options["route_file"]
            raise RuntimeError(
                f"the simulator cannot play {net} with {route}: {error}; see whether SUMO reads them: sumo -n {net} -r "
                f"{route}"
            ) from error
        self.signals = Signals(list(found), *map(list, zip(*found.values(), strict=True)))

    def ask(self, name: str, *arguments: Any) -> Any:
        """Returns the answer of the simulation.

        Args:
            name: The name of one of the methods of `traffic_simulator.Simulation`.
            arguments: Its arguments.

        Raises:
            RuntimeError: If the simulation fails, or its process has ended.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(pickle.dumps((name, arguments)))
            process.stdin.flush()
            right, answer = pickle.load(process.stdout)
        except (EOFError, OSError, ValueError) as error:
            with suppress(subprocess.TimeoutExpired):
                process.wait(WAIT)
            raise RuntimeError(
                f"the process of the simulator ended with exit code {process.returncode}{self._reason()}"
            ) from error
        if not right:
            raise RuntimeError(f"{answer}{self._reason()}")
        return answer

    def _reason(self) -> str:
        """Returns the last error that SUMO has printed, or nothing."""
        if not self.end.alive:
            return ""
        lines = os.pread(self._printed, os.fstat(self._printed).st_size, 0).decode(errors="replace").splitlines()
        return next((f"; SUMO: {line.strip()}" for line in reversed(lines) if line.startswith("Error")), "")


def _end(process: subprocess.Popen, printed: int) -> None:
    """Ends a simulator, whose standard input ends."""
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    os.close(printed)
    try:
        process.wait(WAIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def simulator_options(
    net: str = "grid4x4",
    route: str | None = None,
    *,
    seconds: Any = 3600,
    begin: Any = None,
    decision: Any = 5,
    yellow: Any = 2,
    min_green: Any = 5,
    reward: str = "diff-waiting-time",
) -> dict[str, Any]:
    """Returns the arguments of `sumo_rl.SumoEnvironment` for the arguments of `traffic_signals`.

    Args:
        net: The road network.
        route: The file of the traffic.
        seconds: The length of an episode in seconds.
        begin: The second at which an episode begins.
        decision: The seconds from decision to decision.
        yellow: The seconds of a yellow phase.
        min_green: The smallest number of seconds of a green phase.
        reward: The name of the reward.

    Raises:
        MissingExtra: If sumo_rl or SUMO is not installed.
        ValueError: If there is no such network or file, or an option is invalid.
    """
    whole = {"seconds": (seconds, 1), "decision": (decision, 2), "yellow": (yellow, 1), "min_green": (min_green, 1)}
    seconds, decision, yellow, min_green = (whole_number(name, *given) for name, given in whole.items())
    if yellow >= decision:
        raise ValueError(f"yellow is {yellow} and decision {decision}; a yellow phase must be shorter than a decision.")
    if seconds % decision:
        raise ValueError(f"seconds is {seconds}; give a multiple of decision, which is {decision}.")
    reward = choice("reward", reward, REWARDS)
    found = find_roads(net)
    traffic = _file("route", found.route if route is None else route)
    check_installed("traffic", "A traffic simulation", "sumo_rl", *(() if "SUMO_HOME" in os.environ else ("sumo",)))
    return {
        **{"net_file": found.net, "route_file": traffic, "num_seconds": seconds},
        **{"begin_time": found.begin if begin is None else whole_number("begin", begin, 0)},
        **{"delta_time": decision, "yellow_time": yellow, "min_green": min_green, "reward_fn": reward},
    }


@cache
def _environment_class() -> type:
    """Returns the class, which is made at the first call because its base class is PettingZoo's."""
    pettingzoo, spaces = pettingzoo_modules()

    class TrafficEnvironment(pettingzoo.ParallelEnv):
        """A traffic simulation whose agents are the signals."""

        def __init__(self, options: dict[str, Any]) -> None:
            self.simulator, self.render_mode, self.own_process = Simulator(options), None, True
            self.metadata = {"name": f"traffic signals of {Path(options['net_file']).name.removesuffix('.net.xml')}"}
            signals = self.simulator.signals
            self.possible_agents, self.agents = list(signals.names), []
            box = lambda size: spaces.Box(0.0, 1.0, (size,), np.float32)
            self.observation_spaces = dict(zip(signals.names, map(box, signals.sizes), strict=True))
            self.action_spaces = dict(zip(signals.names, map(spaces.Discrete, signals.actions), strict=True))

        def observation_space(self, agent: str) -> Any:
            return self.observation_spaces[agent]

        def action_space(self, agent: str) -> Any:
            return self.action_spaces[agent]

        def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
            seed = int(np.random.default_rng().integers(2**31)) if seed is None else int(seed)
            observations = self.simulator.ask("reset", seed)
            self.agents = self.possible_agents[:]
            return observations, {name: {} for name in self.agents}

        def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
            chosen = {name: int(actions[name]) for name in self.agents}
            observations, rewards, over = self.simulator.ask("step", chosen)
            same = lambda value: dict.fromkeys(self.possible_agents, value)
            if over:
                self.agents = []
            return observations, rewards, same(False), same(over), {name: {} for name in self.possible_agents}

        def close(self) -> None:
            self.simulator.end()

    return TrafficEnvironment


def traffic_signals(net: str = "grid4x4", route: str | None = None, **options: Any) -> Environment:
    """Returns a traffic simulation as a PettingZoo parallel environment, in which every signal is an agent.

    At every decision all signals choose their next green phase at once. A signal that changes it is yellow first. A
    signal observes its green phase, whether it may change it, and the density and the queue of every lane that leads to
    it, all between 0 and 1. The seed of an episode is that of SUMO, and the end of the simulated time is a truncation.

    Every environment is a process with a simulation of its own, by libsumo. Where only SUMO is installed, sumo_rl talks
    to it by a socket, which gives the same results and takes about twenty times as long.

    ``from_parallel(lambda: traffic_signals("grid4x4"), horizon=720)`` makes a game of it. In a configuration file it is
    the problem `parallel_game` with ``game = "hypergossip.problems.actor_critic:traffic_signals"``. Unequal signals, as
    in cologne3, need `pad=True`.

    Args:
        net: The name of a road network of RESCO: "grid4x4" (16 equal signals), "arterial4x4", "cologne3" (3 unequal
            signals), "cologne8", "ingolstadt7" or "ingolstadt21"; or a file of SUMO's, such as "town.net.xml".
        route: The file of the traffic; None takes that of RESCO's network.
        options: Any of `seconds`, the length of an episode in seconds (3600), a multiple of the next; `decision`, the
            seconds from decision to decision (5); `yellow`, the seconds of a yellow phase (2); `min_green`, the
            smallest number of seconds of a green phase (5); `begin`, the second of the day at which the episode
            begins (RESCO's own, else 0); and `reward`: "diff-waiting-time", the decrease of the waiting time in
            hundreds of seconds; "queue", minus the number of vehicles that wait; "pressure", the vehicles behind the
            signal minus those before it; or "average-speed".

    Raises:
        MissingExtra: If sumo_rl or SUMO is not installed. The extra "traffic" installs them.
        TypeError: If there is no such option.
        ValueError: If there is no such network or file, or an option is invalid.
        RuntimeError: If the simulator cannot start.
    """
    check_options("traffic_signals", options, simulator_options)
    given = simulator_options(net, route, **options)  # first, because the extra "traffic" includes PettingZoo
    return _environment_class()(given)
