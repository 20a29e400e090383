"""An agent's term of the network's conserved sum after a round, projected onto one direction."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hypergossip.peers.exchange import Exchange
from hypergossip.peers.own_program import OwnProgram


class UnderWay(NamedTuple):
    """A link over which not all sums of the round have come in it.

    Attributes:
        weight: W_ij.
        own: The projection of the agent's own sum, as it compares with.
        added: The projection of what the link has added so far, without the weight.
    """

    weight: float
    own: float
    added: float

    def missing(self, theirs: float) -> float:
        """Returns what the link will still add to the agent's term.

        Args:
            theirs: The projection of the neighbour's sum.
        """
        return self.weight * (theirs - self.own - self.added)


class Snapshot(NamedTuple):
    """An agent's term after a round.

    Attributes:
        term: Its projection, without what is under way.
        size: The norm of what the term consists of.
        own: The projections of the agent's own sums, for each neighbour whose link is counted.
        under_way: The links over which not all sums have come.
        rounding: The rounding of the sums, relative to one unit of it: nothing where all have come.
    """

    term: float
    size: float
    own: Mapping[int, float]
    under_way: Mapping[int, UnderWay]
    rounding: float


def direction(run: bytes, round: int, entries: int) -> np.ndarray:
    """Returns the direction of a round: random numbers of mean 0 and variance 1, which every agent derives for itself.

    They are no mere along, with which errors of equal size would often cancel.

    Args:
        run: The identifier of the run.
        round: The number of the round.
        entries: The number of entries.
    """
    drawn = np.frombuffer(hashlib.shake_256(run + round.to_bytes(4, "little")).digest(2 * entries), "<u2")
    return math.sqrt(3) * ((drawn + 0.5) / 2**15 - 1)


def taken(
    program: OwnProgram, exchange: Exchange, arrived: Mapping[int, np.ndarray], run: bytes, round: int, states: Any
) -> Snapshot:
    """Returns an agent's term after a round.

    Args:
        program: The agent's programs.
        exchange: What it has sent.
        arrived: For each message of the round, over which links it has come in it, (degree,).
        run: The identifier of the run.
        round: The number of the round.
        states: The agent's state before and after the round.
    """
    before, after = states
    kept, variables = program.conserved(after)
    along = direction(run, round, kept.size)
    effect = lambda vectors: program.effect(after, vectors).astype(np.float64)
    calls = range(len(program.sizes))
    pairs = [exchange.own_at(0, call, round) for call in calls]
    sent, compared = ([pair[side] for pair in pairs if pair is not None] for side in (0, 1))
    message = effect([total - np.asarray(link.sender[0]) for total, link in zip(sent, before.links, strict=True)])
    whole = effect(sent)
    own, under_way, rounding = {}, {}, 0.0
    weights = np.asarray(program.weights, np.float64)
    for j, link in exchange.links.items():
        if link.opening is None or link.opening > round:
            continue
        told = effect(_since(sent, link.bases, 0)) if link.bases else whole
        own[j] = float(along @ told)
        if all(arrived[call][link.row] for call in calls):
            continue
        mine = effect(_since(compared, link.bases, 1))
        added = effect([np.asarray(one.links[0][link.row]) for one in after.links])
        weight = float(weights[link.row])
        under_way[j] = UnderWay(weight, float(along @ mine), float(along @ added))
        rounding += weight * float(np.linalg.norm(mine))
    size = math.hypot(variables, float(np.linalg.norm(kept)), float(np.linalg.norm(message)))
    return Snapshot(float(along @ kept.astype(np.float64)), size, own, under_way, rounding)


def _since(sums: Sequence[np.ndarray], bases: Mapping[Any, tuple[np.ndarray, ...]], side: int) -> list[np.ndarray]:
    """Returns sums as an opening counts them: less those before it."""
    return [total - bases[0, call][side] if bases else total for call, total in enumerate(sums)]
