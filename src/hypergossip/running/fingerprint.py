"""What a run is, so that a checkpoint of another one is refused: names at once, digests when first looked at."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from hypergossip.core.agent_data.loading import rows_here
from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.core.oracles import AutodiffOracles
from hypergossip.core.problem import Problem
from hypergossip.running.snapshot import DIGEST_BYTES, Digest
from hypergossip.support.processes import gather


class Fingerprint(Mapping[str, Any]):
    """What a run is: name -> description or digest.

    A digest of all data takes as long as reading them, so it is computed when it is first looked at: for a checkpoint,
    for a result that is saved or gone on from, and where several processes compare what they have made. A copy, and
    what is pickled, is a plain dict.
    """

    def __init__(self, known: Mapping[str, Any], later: Mapping[str, Callable[[], Any]]) -> None:
        """Takes what is known, and name -> function of what is computed later."""
        self._known, self._later = dict(known), dict(later)

    def __getitem__(self, name: str) -> Any:
        """Returns a description, computed now where it never was."""
        if name in self._later:
            self._known[name] = self._later[name]()
            del self._later[name]  # and with it the problem, once nothing is left to compute
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Iterates over the names, in one order whatever was computed first."""
        return iter(sorted({*self._known, *self._later}))

    def __len__(self) -> int:
        """Returns how many names there are."""
        return len(self._known) + len(self._later)

    def __repr__(self) -> str:
        """Shows everything."""
        return repr(dict(self))

    def __reduce__(self) -> tuple:
        """Leaves the problem behind: its losses may be functions that cannot be pickled."""
        return dict, (dict(self),)


def data_digest(problem: Problem) -> str:
    """Returns a fingerprint of every agent's data, with the agents' identities."""
    return _data_and_problem(problem)[0]


def problem_digest(problem: Problem) -> str:
    """Returns a fingerprint of the data and of the common starting point."""
    return _data_and_problem(problem)[1]


def losses_digest(problem: Problem) -> str:
    """Returns a fingerprint of what one agent computes: losses, batch size, sampling, projection, constants within."""
    return _once(problem, "losses", _traced)


def without_addresses(text: str) -> str:
    """Takes out what differs from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _data_and_problem(problem: Problem) -> tuple[str, str]:
    def both(problem: Problem) -> tuple[str, str]:
        total = Digest().add((_agents_data(problem), problem.identities))
        data = total.text
        return data, total.add((problem.x0, problem.y0)).text

    return _once(problem, "data", both)


def _agents_data(problem: Problem) -> Any:
    """Returns what tells all agents' data: a digest of each one's, made where it lives, or the oracles themselves."""
    oracles = problem.oracles
    if not isinstance(oracles, AutodiffOracles | PackedOracles):
        return oracles
    digests = np.zeros((2, problem.agents, DIGEST_BYTES), np.uint8)
    for k, level in enumerate(("upper", "lower")):
        for i, rows in rows_here(oracles, level):
            digests[k, i] = np.frombuffer(Digest().add(rows).bytes, np.uint8)
    return gather(digests).sum(axis=0, dtype=np.uint8)  # each process has its own agents', and zeros elsewhere


def _once(problem: Problem, name: str, compute: Callable[[Problem], Any]) -> Any:
    """Returns what is computed of a problem, kept with it: its arrays never change.

    A problem made of this one with other arrays (`Problem.relabelled`) takes over what was kept, and must not use it.
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
    # In the precision of the problem, whatever JAX's switch has become since it was made.
    with jax.enable_x64(problem.x0.dtype == np.float64):
        program = _everything.trace(problem.agent_shapes(), problem.x0, problem.y0, jax.random.key(0)).jaxpr
    text = np.frombuffer(without_addresses(str(program)).encode(), np.uint8)
    return Digest().add((text, program.consts)).text
