"""SUMO's own measures of an episode of a traffic simulation: waiting times and queues."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float

from hypergossip.problems.actor_critic.traffic import Signals, Simulator, simulator_options
from hypergossip.support.arguments import whole_number
from hypergossip.support.registry import check_options

LARGEST_SEED = 2**31 - 1  # of SUMO


class TrafficMeasures(NamedTuple):
    """The measures of an episode. A vehicle waits, and is in a queue, while it is slower than 0.1 m/s.

    Attributes:
        signals: The names of the signals.
        vehicles: The number of vehicles that entered the network.
        waiting: The mean waiting time of a vehicle in the network, in seconds.
        queue: The mean number of vehicles that wait in the network.
        outside: The mean number of vehicles that wait to enter the network, because its first road is full.
        signal_waiting: The mean waiting time of a vehicle before each signal, in seconds, (signals,).
        signal_queue: The mean number of vehicles that wait before each signal, (signals,).
    """

    signals: tuple[str, ...]
    vehicles: int
    waiting: float
    queue: float
    outside: float
    signal_waiting: Float[np.ndarray, "signals"]
    signal_queue: Float[np.ndarray, "signals"]


def traffic_measures(actions: Any = None, *, seed: Any = 0, **options: Any) -> TrafficMeasures:
    """Returns the measures of an episode, with given actions or with the fixed-time programs of the network.

    Args:
        actions: Every signal's actions, (decisions, signals), such as the `actions` of a `rollout`; None runs the
            programs of the road network, whose phases have fixed durations.
        seed: The seed of SUMO, as a game's reset gives it to the environment: a number from 0 to 2**31 - 1, or the
            `states.seed` of a `rollout`.
        options: The arguments of `traffic_signals`.

    Raises:
        MissingExtra: If sumo_rl or SUMO is not installed. The extra "traffic" installs them.
        TypeError: If there is no such option.
        ValueError: If an option or the seed is invalid, the actions have another shape, or an action does not exist.
        RuntimeError: If the simulator fails.
    """
    check_options("traffic_measures", options, simulator_options)
    given = simulator_options(**options)
    decisions, seed = given["num_seconds"] // given["delta_time"], _seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator({**given, "fixed_ts": actions is None}, folder)
        try:
            names = simulator.signals.names
            for chosen in _chosen(actions, decisions, simulator, seed):
                simulator.ask("step", dict(zip(names, chosen, strict=True)))
            simulator.ask("close")
        finally:
            simulator.end()
        return read_measures(Path(folder), simulator.signals)


def _chosen(actions: Any, decisions: int, simulator: Simulator, seed: int) -> Sequence[Sequence[int]]:
    """Begins an episode, and returns the actions of every decision."""
    signals = len(simulator.signals.names)
    given = np.zeros((decisions, signals), int) if actions is None else np.asarray(actions)
    if given.shape != (decisions, signals) or given.dtype.kind not in "iu":
        raise ValueError(
            f"actions have the shape {given.shape} and the type {given.dtype}; give one integer for each of the "
            f"{decisions} decisions and {signals} signals, or None for fixed times."
        )
    phases = np.asarray(simulator.signals.actions)
    if actions is not None and (wrong := np.argwhere((given < 0) | (given >= phases))).size:
        decision, signal = wrong[0]
        raise ValueError(
            f"action {given[decision, signal]} of decision {decision} does not exist for signal "
            f"{simulator.signals.names[signal]!r}, which has {phases[signal]} green phases; give numbers from 0 to "
            f"{phases[signal] - 1}."
        )
    simulator.ask("reset", seed)
    return given.tolist()


def _seed(given: Any) -> int:
    """Returns the seed of an episode; all states of an episode have the same one."""
    seeds = np.unique(np.asarray(given))
    one = seeds.tolist()[0] if seeds.size == 1 else given
    return whole_number("seed", one, 0, LARGEST_SEED)


def read_measures(folder: Path, signals: Signals) -> TrafficMeasures:
    """Returns the measures that SUMO has written.

    Args:
        folder: The folder with its files.
        signals: The signals of the road network.
    """
    steps = list(ElementTree.parse(folder / "summary.xml").getroot().iter("step"))
    total = lambda name: sum(float(step.get(name, 0)) for step in steps)
    vehicles = int(float(steps[-1].get("inserted", 0)))
    lanes = {str(lane.get("id")): lane for lane in ElementTree.parse(folder / "lanes.xml").getroot().iter("lane")}
    before = lambda *names: np.array(
        [
            sum(float(lanes[lane].get(name, 0)) for lane in own if lane in lanes for name in names)
            for own in signals.lanes
        ]
    )
    waited = before("waitingTime")
    return TrafficMeasures(
        tuple(signals.names),
        vehicles,
        total("halting") / max(vehicles, 1),  # a step lasts a second
        total("halting") / len(steps),
        total("waiting") / len(steps),
        waited / np.maximum(before("entered", "departed"), 1),
        waited / len(steps),
    )
