"""The identity of a run, by which a checkpoint of another run is refused: descriptions, and digests of arrays."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from hypergossip.core.agent_data.loading import rows_here
from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.core.oracles import AutodiffOracles
from hypergossip.core.problem import Problem
from hypergossip.running.snapshot import DIGEST_BYTES, Digest
from hypergossip.support.callables import without_addresses
from hypergossip.support.processes import gather


class Fingerprint(Mapping[str, Any]):
    """The identity of a run: name -> description or digest.

    A digest of all data takes as long as reading them, so it is computed at its first use: for a checkpoint, for a
    result that is saved or resumed from, and when several processes compare their runs. Copies and pickles are plain
    dicts.
    """

    def __init__(self, known: Mapping[str, Any], later: Mapping[str, Callable[[], Any]]) -> None:
        """Takes the known descriptions, and functions, by name, that compute the others later."""
        self._known, self._later = dict(known), dict(later)

    def __getitem__(self, name: str) -> Any:
        """Returns a description, and computes it at the first use."""
        if name in self._later:
            self._known[name] = self._later[name]()
            del self._later[name]  # releases the problem once nothing is left to compute
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Iterates over the names in an order that does not depend on what was computed first."""
        return iter(sorted({*self._known, *self._later}))

    def __len__(self) -> int:
        """Returns the number of names."""
        return len(self._known) + len(self._later)

    def __repr__(self) -> str:
        """Shows all descriptions and digests."""
        return repr(dict(self))

    def __reduce__(self) -> tuple:
        """Omits the problem, whose losses may be functions that cannot be pickled."""
        return dict, (dict(self),)


def data_digest(problem: Problem) -> str:
    """Returns a fingerprint of every agent's data and identity."""
    return _data_and_problem(problem)[0]


def problem_digest(problem: Problem) -> str:
    """Returns a fingerprint of the data and of the common starting point."""
    return _data_and_problem(problem)[1]


def losses_digest(problem: Problem) -> str:
    """Returns a fingerprint of one agent's program: losses, their constants, batch size, sampling and projection."""
    return _once(problem, "losses", _traced)


def _data_and_problem(problem: Problem) -> tuple[str, str]:
    def both(problem: Problem) -> tuple[str, str]:
        total = Digest().add((_agents_data(problem), problem.identities))
        data = total.text
        return data, total.add((problem.x0, problem.y0)).text

    return _once(problem, "data", both)


def _agents_data(problem: Problem) -> Any:
    """Returns a digest of each agent's data, computed in the process that holds them, or the oracles themselves."""
    oracles = problem.oracles
    if not isinstance(oracles, AutodiffOracles | PackedOracles):
        return oracles
    digests = np.zeros((2, problem.agents, DIGEST_BYTES), np.uint8)
    for k, level in enumerate(("upper", "lower")):
        for i, rows in rows_here(oracles, level):
            digests[k, i] = np.frombuffer(Digest().add(rows).bytes, np.uint8)
    return gather(digests).sum(axis=0, dtype=np.uint8)  # each process has its own agents' digests and zeros elsewhere


def _once(problem: Problem, name: str, compute: Callable[[Problem], Any]) -> Any:
    """Returns a value computed from a problem and stores it with the problem, whose arrays never change.

    A problem made from this one with other arrays (`Problem.relabelled`) also gets the stored value, and must not use
    it.
    """
    parts = (problem.oracles, problem.identities, problem.x0, problem.y0)
    place = f"_digest_of_{name}"
    of, value = problem.__dict__.get(place, ((), None))
    if len(of) != len(parts) or any(one is not other for one, other in zip(of, parts, strict=True)):
        value = compute(problem)
        problem.__dict__[place] = (parts, value)
    return value


@jax.jit
def _everything(agent: Any, x: Any, y: Any, key: Any) -> Any:
    return (
        agent.upper_loss(x, y, key),
        agent.upper_gradients(x, y, key),
        agent.lower_gradient(x, y, key),
        agent.project(x),
    )


def _traced(problem: Problem) -> str:
    # The precision is that of the problem, because JAX's option may have changed since the problem was made.
    with jax.enable_x64(problem.x0.dtype == np.float64):
        program = _everything.trace(problem.agent_shapes(), problem.x0, problem.y0, jax.random.key(0)).jaxpr
    text = np.frombuffer(without_addresses(str(program)).encode(), np.uint8)
    return Digest().add((text, program.consts)).text
