"""A round that is cut at its messages is the round of `Simulated`, and computes what it can while they travel."""

import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rounds_here import RoundsHere, agree

import hypergossip as hg
from engines.running import Pair, TwoMixes
from hypergossip.core.algorithm import Algorithm, Cost, Mix, Oracles, register
from hypergossip.core.messages import inside
from hypergossip.peers.round_program import Communication, NotCut, Part, Transfer, WholeRound, compiled_round
from hypergossip.problems.quadratic import quadratic
from laws.problems import logistic_problem
from laws.table import METHODS, every_method

AGENTS, ROUNDS = 5, 2
RING = hg.networks.ring(AGENTS)
STAR = hg.networks.star(AGENTS)


def small(share: str = "upper", noise: float = 0.1) -> Any:
    return quadratic(AGENTS, 3, 4, seed=3, noise=noise, share=share)


@every_method()
def test_the_cut_round_is_the_round_of_simulated(method):
    rounds = RoundsHere(method.algorithm, small(method.share), STAR)
    if isinstance(method.algorithm, hg.MDAC):  # it sends at every inner step
        with pytest.raises(NotCut):
            rounds.cut()
        agree(rounds.run(rounds.whole, ROUNDS), rounds.simulated(ROUNDS))
        return
    program = rounds.cut()
    agree(rounds.run(lambda: program, ROUNDS), rounds.simulated(ROUNDS))


@pytest.mark.parametrize("name", ["Diamond", "Slam", "SlamTracked"])
def test_with_losses_and_batches_as_well(name):
    problem = logistic_problem(METHODS[name].share, AGENTS, batch_size=3, ragged=True)
    rounds = RoundsHere(METHODS[name].algorithm, problem, RING)
    program = rounds.cut()
    agree(rounds.run(lambda: program, ROUNDS), rounds.simulated(ROUNDS))


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("channel", [None, [hg.channels.EdgeSums()], [hg.channels.EdgeSums(), hg.channels.Quantize(8)]])
def test_with_a_channel_and_with_dated_messages(channel, dated):
    rounds = RoundsHere(METHODS["Slam"].algorithm, small("both"), STAR, channel, dated)
    program = rounds.cut()
    agree(rounds.run(lambda: program, ROUNDS), rounds.simulated(ROUNDS))


def primitives(part: Part) -> set[str]:
    """The names of what a part computes."""
    shapes = [v.aval for v in part.needs]
    found, todo = set(), [jax.make_jaxpr(part.run.__wrapped__)(*map(empty, shapes)).jaxpr]
    while todo:
        for eqn in todo.pop().eqns:
            found.add(eqn.primitive.name)
            todo += inside(eqn)
    return found


def empty(shape: Any) -> Any:
    if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return jax.random.key(0, impl=shape.dtype._impl)
    return jnp.zeros(shape.shape, shape.dtype)


def timeline(parts: list[Part | Communication]) -> str:
    """What a round does in its order: c computes, g gradients among it, s sends, r receives."""
    text, sent = "", set()
    for part in parts:
        if isinstance(part, Communication):
            text += "r" if part.place in sent else "s"
            sent.add(part.place)
        else:
            text += "g" if "exp" in primitives(part) else "c"
    return text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Diamond", r"c?sgrc"),  # the message is the state: the gradients are computed while it travels
        ("GTSGD", r"c?sgrc"),
        ("DSGD", r"c?sgrc"),
        ("Slam", r"c?sgrg"),  # the hypergradient needs the new y
        ("CAC", r"gsg?rc"),  # adapts, then combines: the message needs the gradients
    ],
)
def test_gradients_are_computed_while_a_message_travels_that_does_not_need_them(name, expected):
    rounds = RoundsHere(METHODS[name].algorithm, logistic_problem(METHODS[name].share, AGENTS), RING)
    found = timeline(rounds.cut()._parts)
    assert re.fullmatch(expected, found), found


def test_two_messages_of_a_round_are_sent_and_awaited_one_after_the_other():
    rounds = RoundsHere(TwoMixes(0.05, 0.1), small(), RING)
    program = rounds.cut()
    order: list[tuple[str, int]] = []

    def collect(place: int) -> tuple[np.ndarray]:
        order.append(("collect", place))
        return (np.zeros((rounds.degree, 3)),)

    post = Transfer(lambda place, *_: order.append(("send", place)), collect)
    program(jax.tree.leaves(rounds.here[0]), 0, rounds.state(0), post)
    assert order == [("send", 0), ("collect", 0), ("send", 1), ("collect", 1)]
    agree(rounds.run(lambda: program, 3), rounds.simulated(3))


@register
class Helper(Algorithm):
    """Sends in a function that the user has compiled."""

    step_size: Any

    compilations: ClassVar[int] = 0

    def init(self, agent: Oracles, x: Any, y: Any, key: Any) -> Pair:
        return Pair(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Pair, key: Any) -> tuple[Pair, Cost]:
        @jax.jit
        def mixed(x: Any) -> Any:
            return jax.jit(lambda v: mix(upper=v * 1.0))(x)

        gradient = agent.upper_gradients(state.x, state.y, key)[0]
        return Pair(mixed(state.x) - self.step_size * gradient, state.y), Cost(agent.samples(1), 1)


@register
class InALoop(Helper):
    """Sends twice, in a loop."""

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Pair, key: Any) -> tuple[Pair, Cost]:
        gradient = agent.upper_gradients(state.x, state.y, key)[0]
        x = jax.lax.fori_loop(0, 2, lambda _, v: mix(upper=v), state.x)
        return Pair(x - self.step_size * gradient, state.y), Cost(agent.samples(1), 1)


def test_a_compiled_helper_that_sends_is_a_part_of_the_round():
    rounds = RoundsHere(Helper(0.05), small(), STAR)
    program = rounds.cut()
    assert [type(part) for part in program._parts].count(Communication) == 2  # sent and received
    agree(rounds.run(lambda: program, ROUNDS), rounds.simulated(ROUNDS))


@pytest.mark.parametrize("name", ["Diamond", "Slam"])
def test_a_round_in_one_program_is_the_same(name):
    method = METHODS[name]
    rounds = RoundsHere(method.algorithm, small(method.share), STAR)
    agree(rounds.run(rounds.whole, ROUNDS), rounds.simulated(ROUNDS))


def test_a_step_that_sends_in_a_loop_cannot_be_cut_and_runs_in_one_program():
    rounds = RoundsHere(InALoop(0.05), small(), STAR)
    with pytest.raises(NotCut, match="inside a loop"):
        rounds.cut()
    sizes = [(small().x0.size, small().x0.dtype)] * 8
    chosen = compiled_round(rounds.make, rounds.here[0], rounds.state(0), sizes, rounds.degree, False)
    assert isinstance(chosen, WholeRound)


@register
class Averages(Algorithm):
    """Averages x, and computes entry by entry what does not depend on the neighbours."""

    def init(self, agent: Oracles, x: Any, y: Any, key: Any) -> Pair:
        return Pair(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Pair, key: Any) -> tuple[Pair, Cost]:
        return Pair(mix(upper=state.x) + 2 * state.x - 1, state.y), Cost()


def test_entry_by_entry_work_is_no_program_of_its_own_between_sending_and_receiving():
    rounds = RoundsHere(Averages(), small(), RING)
    program = rounds.cut()
    assert timeline(program._parts) == "src"
    agree(rounds.run(lambda: program, ROUNDS), rounds.simulated(ROUNDS))
