"""Every agent alone, without compilation, with real values: slow, and precise about where something breaks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.algorithm import Algorithm, Cost, WorldOracles
from hypergossip.engines.keys import INIT_ROUND, agent_key
from hypergossip.engines.lifting import Placed, Spaces, mix_through
from hypergossip.engines.lockstep import Send, UnequalStops, lockstep
from hypergossip.naming import agent_label

MIX, WORLD = "mix", "its world"  # where a program stops


class Named(Placed):
    """A problem on its network, whose agents may have names.

    Attributes:
        names: The agents' names, or None.
    """

    names: tuple[str, ...] | None = None


class DebugError(RuntimeError):
    """Something broke; the sentence names round, run, agent and quantity, and the cause is the original exception."""


@dataclass(frozen=True)
class Debug:
    """Runs the network without `jit`, one agent at a time, each in its own thread.

    An agent's program runs until its `mix`, waits there for the others, and goes on with the average: `print`, `assert`
    and `breakpoint()` in losses and algorithms see real values (those inside `jax.vmap` or `jax.grad` apart). After
    every round and for every agent it checks that the state is finite.
    """

    def place(self, problem: Any, network: Any) -> Placed:
        """Puts a problem on its network."""
        placed = Named(problem.oracles, problem.identities, network.mixing)
        placed.names = problem.names
        return placed

    def start(self, algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any) -> Any:
        """Returns every agent's state before round 0."""
        runs, agents = x.shape[:2]
        name = _naming(placed)

        def begin(run: int, agent: int) -> Any:
            def program(_: Send) -> Any:
                own = _taken(algorithm, run) if swept else algorithm
                key = agent_key(keys[run], INIT_ROUND, placed.identities[agent])
                state = own.init(
                    _taken(placed.oracles, agent), jnp.asarray(x[run, agent]), jnp.asarray(y[run, agent]), key
                )
                return _checked_finite(state, f"the start{_of_run(run, runs)}, {name(agent)}")

            where = f"the start{_of_run(run, runs)}, {name(agent)}: init"
            return lockstep([_named(program, where)], lambda said: said)[0]

        return _stacked([[begin(run, agent) for agent in range(agents)] for run in range(runs)])

    def restore(self, placed: Placed, state: Any) -> Any:
        """Returns the state's host arrays as JAX's."""
        return jax.tree.map(jnp.asarray, state)

    def advance(
        self,
        algorithm: Algorithm,
        swept: bool,
        placed: Placed,
        spaces: Spaces,
        state: Any,
        keys: Any,
        first: int,
        last: int,
    ) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1.

        Raises:
            DebugError: Where something breaks.
        """
        runs, agents = keys.size, placed.identities.size
        states = [[_taken(state, (run, agent)) for agent in range(agents)] for run in range(runs)]
        spent = np.zeros((len(Cost._fields), runs, agents), np.int64)
        for run in range(runs):
            own = _taken(algorithm, run) if swept else algorithm
            for round in range(first, last):
                where = f"round {round}{_of_run(run, runs)}"
                states[run], costs = _round(own, placed, spaces, states[run], keys[run], round, where)
                spent[:, run] += np.asarray(costs, np.int64).T
        return (_stacked(states) if runs and agents else state), Cost(*spent)

    def fetch(self, tree: Any) -> Any:
        """Returns a tree of arrays as host arrays."""
        return jax.tree.map(np.asarray, tree)

    @property
    def leads(self) -> bool:
        """Always: there is one process."""
        return True

    def tell(self, *numbers: float | int) -> np.ndarray:
        """Returns the numbers, (1, numbers): there is one process."""
        return np.asarray([numbers], np.float64)


def _round(
    algorithm: Algorithm, placed: Placed, spaces: Spaces, states: list[Any], key: Any, round: int, where: str
) -> tuple[list[Any], list[Cost]]:
    """Runs one round of one run; returns every agent's state and cost."""
    name = _naming(placed)

    def agent(i: int) -> Callable[[Send], tuple[Any, Cost]]:
        def program(send: Send) -> tuple[Any, Cost]:
            oracles, before = _taken(placed.oracles, i), states[i]
            agents_key = agent_key(key, round, placed.identities[i])
            if isinstance(oracles, WorldOracles):
                oracles = oracles.within(lambda vector: send((WORLD, vector)))
            number = jnp.asarray(round, jnp.int32)
            mix = mix_through(spaces, lambda vector, call: send((MIX, vector)))
            after, cost = algorithm.step(oracles, mix, number, before, agents_key)
            _checked_finite(after, f"{where}, {name(i)}")
            return after, cost

        return _named(program, f"{where}, {name(i)}: step")

    def answer(said: list[tuple[str, Any]]) -> list[Any]:
        kinds, vectors = zip(*said, strict=True)
        if len(set(kinds)) > 1:
            i = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            raise DebugError(
                f"{where}: {name(0)} waits in {kinds[0]} while {name(i)} waits in {kinds[i]}; every agent must "
                "call both in the same order."
            )
        return average(vectors) if kinds[0] == MIX else [jnp.stack(vectors)] * len(vectors)

    def average(vectors: tuple[Any, ...]) -> list[Any]:
        sizes = [vector.size for vector in vectors]
        if len(set(sizes)) > 1:
            i = next(i for i, size in enumerate(sizes) if size != sizes[0])
            raise DebugError(
                f"{where}: {name(0)} sends {sizes[0]} numbers and {name(i)} sends {sizes[i]} in the same "
                "mix; every agent must send the same vectors in the same order."
            )
        table = np.stack([np.asarray(vector) for vector in vectors])
        return [jnp.asarray(row) for row in placed.mixing.astype(table.dtype) @ table]

    try:
        done = lockstep([agent(i) for i in range(len(states))], answer)
    except UnequalStops as error:
        raise DebugError(
            f"{where}: {name(error.waiting)} calls mix more often than {name(error.ended)}, or its world; every "
            "agent must call them equally often in a round, so never inside a branch or loop that depends on its own "
            "data."
        ) from None
    return [after for after, _ in done], [cost for _, cost in done]


def _naming(placed: Placed) -> Callable[[int], str]:
    """Returns what gives an agent's name for a message."""
    return lambda agent: agent_label(agent, getattr(placed, "names", None))


def _named(program: Callable[[Send], Any], where: str) -> Callable[[Send], Any]:
    """Runs a program without compilation, and names the place where it raises."""

    def named(send: Send) -> Any:
        try:
            with jax.disable_jit():
                return program(send)
        except DebugError:
            raise
        except Exception as error:
            raise DebugError(f"{where} raised {type(error).__name__}: {error}") from error

    return named


def _checked_finite(state: Any, where: str) -> Any:
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        wrong = np.argwhere(~np.isfinite(np.asarray(leaf)))
        if len(wrong):
            quantity, entry = jax.tree_util.keystr(path).lstrip("."), tuple(map(int, wrong[0]))
            raise DebugError(
                f"{where}: {quantity} is no longer finite ({len(wrong)} of {leaf.size} entries; "
                f"{quantity}[{', '.join(map(str, entry))}] is {leaf[entry]}). The steps are likely too large for the "
                "losses, or a loss is undefined where the iterates went."
            )
    return state


def _taken(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _stacked(states: list[list[Any]]) -> Any:
    """Stacks states by run and agent, leaves (runs, agents, ...)."""
    runs = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *agents) for agents in states]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)


def _of_run(run: int, runs: int) -> str:
    return f" of run {run}" if runs > 1 else ""
