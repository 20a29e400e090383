"""What a round sends is read off `step`: loops, branches, what is not shared, and oracles of every kind."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import hypergossip as hg
from engines.running import Pair
from hypergossip.core.algorithm import Algorithm, Cost, register, static
from hypergossip.core.flat_messages import flat_factors
from hypergossip.core.messages import Message, first_message, messages
from hypergossip.core.oracles import AutodiffOracles
from hypergossip.core.shapes_only import ShapesOnly
from hypergossip.core.space import Space
from hypergossip.problems.actor_critic import cooperative_navigation
from hypergossip.running.preflight import sent_in_a_round
from small_problems import logistic

P, Q = 5, 3
PROBLEM = hg.problems.quadratic(3, P, Q, share="both")
F64 = np.dtype("float64")


class Sends(Algorithm):
    """A method that only sends, in the way that a test wants."""

    def init(self, agent, x, y, key):
        return Pair(x, y)

    def step(self, agent, mix, round, state, key):
        return type(self).sends(self, mix, round, state), Cost()


def that(sends: Any, **fields: Any) -> Any:
    """An algorithm that sends so."""
    body = {"__annotations__": dict.fromkeys(fields, int), "sends": staticmethod(sends)}
    return register(type("That", (Sends,), body | {name: static(default=value) for name, value in fields.items()}))()


def sent(algorithm: Any, problem: Any = PROBLEM) -> list[tuple[int, int, int]]:
    """(upper entries, lower entries, times) of every message."""
    found = messages(algorithm, (problem.upper, problem.lower), problem.agent(0), problem.x0, problem.y0)
    return [(one.upper, one.lower, one.times) for one in found]


def turning(loop: Any) -> Any:
    """A step whose loop mixes y in every turn, x being mixed before it."""
    return lambda self, mix, round, s: Pair(mix(upper=s.x), loop(self, mix, round, s.y))


FIXED = {
    "fori_loop": lambda self, mix, round, y: lax.fori_loop(0, self.turns, lambda k, y: mix(lower=y, call=k), y),
    "with numbers of JAX": lambda self, mix, round, y: lax.fori_loop(
        jnp.int32(1), jnp.int32(1 + self.turns), lambda k, y: mix(lower=y, call=k), y
    ),
    "scan": lambda self, mix, round, y: lax.scan(lambda y, k: (mix(lower=y), k), y, jnp.arange(self.turns))[0],
    "compiled within": lambda self, mix, round, y: jax.jit(
        lambda y: lax.fori_loop(0, self.turns, lambda k, y: mix(lower=y, call=k), y)
    )(y),
    "a loop in a loop": lambda self, mix, round, y: lax.fori_loop(
        0, 2, lambda j, y: lax.fori_loop(0, self.turns // 2, lambda k, y: mix(lower=y), y), y
    ),
    "either branch": lambda self, mix, round, y: lax.fori_loop(
        0, self.turns, lambda k, y: lax.cond(round > 3, lambda: mix(lower=y), lambda: mix(lower=2 * y)), y
    ),
}


@pytest.mark.parametrize("name", FIXED)
def test_a_mix_in_a_loop_counts_as_often_as_the_loop_turns(name):
    assert sent(that(turning(FIXED[name]), turns=6)) == [(P, 0, 1), (0, Q, 6)]


UNKNOWN = {
    "the round's": lambda self, mix, round, y: lax.fori_loop(0, round + 1, lambda k, y: mix(lower=y), y),
    "the data's": lambda self, mix, round, y: lax.while_loop(lambda y: y[0] > 1e-3, lambda y: mix(lower=y), y),
    "not by one": lambda self, mix, round, y: lax.while_loop(
        lambda c: c[0] < 8, lambda c: (2 * c[0], mix(lower=c[1])), (1, y)
    )[1],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_loop_whose_turns_are_not_fixed_is_refused(name):
    with pytest.raises(
        ValueError, match=r"loop whose number of iterations is not fixed.* a field marked by static\(\)"
    ):
        sent(that(turning(UNKNOWN[name])))


def test_a_branch_that_sends_something_else_is_refused():
    one_alone = lambda self, mix, round, s: Pair(lax.cond(round > 3, lambda: mix(upper=s.x), lambda: s.x), s.y)
    with pytest.raises(ValueError, match=r"in a branch .* every branch must send the same"):
        sent(that(one_alone))


def test_what_is_not_shared_is_no_part_of_a_message_and_nothing_is_not_sent():
    both = that(lambda self, mix, round, s: Pair(mix(upper=(s.x, s.x), lower=s.y)[0][1], mix(lower=s.y)))
    assert sent(both) == [(2 * P, Q, 1), (0, Q, 1)]
    assert sent(both, hg.problems.quadratic(3, P, Q, share="upper")) == [(2 * P, 0, 1)]
    plain = hg.problems.quadratic(3, P, Q).oracles
    part = {"upper": {"ours": True, "mine": False}}
    x0 = {"ours": np.zeros(2), "mine": np.zeros(P - 2)}
    assert sent(both, hg.Problem.from_oracles(plain, x0=x0, y0=np.zeros(Q), share=part)) == [(4, 0, 1)]
    silent = that(lambda self, mix, round, s: s)
    assert sent(silent) == []
    key = jax.random.key(0)
    spaces = PROBLEM.upper, PROBLEM.lower
    assert first_message(silent, spaces, PROBLEM.agent(0), 0, Pair(PROBLEM.x0, PROBLEM.y0), key).shape == (0,)


def test_numbers_belong_to_no_level_and_are_sent_whatever_is_shared():
    def sends(self, mix, round, s):
        x, (one, (two,)) = mix(upper=s.x, numbers=(s.y[0], (s.x[:2],)))
        assert (one.shape, two.shape) == ((), (2,))
        return Pair(x + one, mix(numbers=s.y))

    lower_alone = hg.problems.quadratic(3, P, Q, share="lower")
    for problem, upper in ((PROBLEM, P), (lower_alone, 0)):
        found = sent_in_a_round(that(sends), problem)
        assert found == (Message(upper, 0, F64, numbers=3), Message(0, 0, F64, numbers=Q))
        assert [one.bytes for one in found] == [8 * (upper + 3), 8 * Q]
    spaces, pair = (PROBLEM.upper, PROBLEM.lower), Pair(jnp.arange(1.0, P + 1), -jnp.arange(1.0, Q + 1))
    first = first_message(that(sends), spaces, PROBLEM.agent(0), 0, pair, jax.random.key(0))
    np.testing.assert_array_equal(first, [1, 2, 3, 4, 5, -1, 1, 2])


def test_numbers_are_averaged_with_the_same_weights_on_every_engine():
    sends = lambda self, mix, round, s: Pair(*mix(upper=s.x, numbers=s.y[:1])[:1], s.y + mix(numbers=s.y, call=1))
    problem, network = hg.problems.quadratic(3, P, Q, share="lower"), hg.networks.star(3)
    y0 = np.random.default_rng(0).standard_normal((3, Q))
    for engine in (None, hg.Debug(), hg.Sharded(devices=3)):
        given = {"rounds": 1, "check": False, "measure": False, "progress": False, "engine": engine, "y0": y0}
        result = hg.solve(that(sends), problem, network, **given)
        np.testing.assert_allclose(result.y, y0 + network.mixing.toarray() @ y0, rtol=1e-12)


def test_only_what_has_been_sent_is_sent_again():
    twice = lambda self, mix, round, s: Pair(s.x, mix(lower=mix(lower=s.y), again=True))
    assert [one.again for one in sent_in_a_round(that(twice), PROBLEM)] == [False, True]
    first = lambda self, mix, round, s: Pair(mix(upper=s.x, again=True), s.y)
    other = lambda self, mix, round, s: Pair(mix(upper=s.x), mix(lower=s.y, again=True))
    for wrong in (first, other):
        with pytest.raises(ValueError, match=r"mix\(\.\.\., again=True\) sends other vectors than the mix before it"):
            sent_in_a_round(that(wrong), PROBLEM)


CUTS = {
    "at once": lambda self, mix, round, s: Pair(mix(upper=2 * s.x), s.y),
    "compiled within": lambda self, mix, round, s: Pair(jax.jit(lambda v: mix(upper=v) + 1)(2 * s.x), s.y),
    "in a loop": lambda self, mix, round, s: Pair(lax.fori_loop(0, 3, lambda k, x: mix(upper=2 * x), s.x), s.y),
}


@pytest.mark.parametrize("name", CUTS)
def test_the_first_message_is_what_the_first_mix_is_given(name):
    algorithm, spaces = that(CUTS[name]), (PROBLEM.upper, PROBLEM.lower)
    cut = lambda x: first_message(algorithm, spaces, PROBLEM.agent(0), 0, Pair(x, PROBLEM.y0), jax.random.key(0))
    x = jnp.arange(1.0, P + 1)
    np.testing.assert_array_equal(cut(x), 2 * x)
    np.testing.assert_array_equal(jax.jit(jax.vmap(cut))(jnp.stack([x, -x])), [2 * x, -2 * x])


def test_a_first_message_in_a_branch_cannot_be_told():
    either = lambda self, mix, round, s: Pair(lax.cond(round > 3, lambda: mix(upper=s.x), lambda: mix(upper=-s.x)), s.y)
    spaces = PROBLEM.upper, PROBLEM.lower
    assert sent(that(either)) == [(P, 0, 1)]
    with pytest.raises(ValueError, match="first mix of the round is inside cond"):
        jax.jit(
            lambda t, x: first_message(
                that(either), spaces, PROBLEM.agent(0), t, Pair(x, PROBLEM.y0), jax.random.key(0)
            )
        )(0, PROBLEM.x0)


def called_back(x, y, batch):
    """A loss that a Python function computes."""

    @jax.custom_jvp
    def value(y):
        return jax.pure_callback(
            lambda y: np.sum(y**2) / 2, jax.ShapeDtypeStruct((), y.dtype), y, vmap_method="sequential"
        )

    value.defjvp(lambda primals, tangents: (value(*primals), jnp.vdot(primals[0], tangents[0])))
    return value(y) + jnp.sum(x**2) * jnp.mean(batch)


def test_no_loss_is_traced_and_every_kind_of_problem_is_told():
    traced = []

    def loss(x, y, batch):
        traced.append(1)
        return called_back(x, y, batch)

    data = [np.ones(2), np.ones(4)]
    own = hg.Problem(
        loss, loss, upper_data=data, lower_data=data, x0=np.zeros(P), y0=np.zeros(Q), share="upper", batch_size=2
    )
    game = cooperative_navigation(agents=2)
    once, size = len(traced), game.lower.size
    double = jax.eval_shape(lambda: game.y0).dtype
    diamond = hg.Diamond(0.1, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0))
    assert sent_in_a_round(diamond, own) == (Message(2 * P, 0, F64),)
    assert len(traced) == once
    assert sent_in_a_round(hg.MDAC(0.1, 0.1, hg.Direct(), 3), game) == (
        Message(game.upper.shared_size, size, double),
        Message(0, size, double, 2, numbered=True, nested=True),
    )
    assert sent_in_a_round(diamond, logistic()) == (Message(2 * logistic().upper.size, 0, F64),)


@register
class Asks(Algorithm):
    """A step that asks its oracles for more than every problem has, and looks at values."""

    look: bool = static(default=False)

    def init(self, agent, x, y, key):
        return Pair(x, y)

    def step(self, agent, mix, round, state, key):
        if self.look and float(jnp.sum(agent.H)) < 0:
            return state, Cost()
        assert isinstance(agent, type(PROBLEM.oracles))
        return Pair(mix(upper=state.x * agent.a), state.y), Cost()


@pytest.mark.parametrize("look", [False, True])
def test_a_step_that_knows_its_oracles_or_looks_at_values_is_told_too(look):
    assert sent_in_a_round(Asks(look), PROBLEM) == (Message(P, 0, F64),)
    result = hg.solve(Asks(look), PROBLEM, hg.networks.ring(3), rounds=2, engine=hg.Debug(), check=False, measure=False)
    assert result.history["bytes_sent"].iloc[-1] == 2 * 2 * P * 8


def test_every_derivative_of_the_losses_is_replaced_by_zeros():
    """One that is not replaced is traced, which takes time, and may not exist."""
    own = {name for name, value in vars(AutodiffOracles).items() if callable(value) and not name.startswith("_")}
    assert own - set(vars(ShapesOnly)) == {"lower_loss", "lower_gradients"}  # not part of the contract of oracles


def test_factors_are_those_of_the_entries_that_are_sent():
    spaces = Space.of({"a": np.ones(2), "b": np.ones(P - 2)}, {"a": True, "b": False}, "upper"), PROBLEM.lower
    x, y = jnp.arange(P, dtype=float), jnp.ones(Q)
    of = lambda factors, upper, lower, numbers: flat_factors(spaces, (upper, lower, numbers), factors)
    rates = jnp.linspace(0.5, P - 0.5, P)
    np.testing.assert_array_equal(of((2.0, 3.0), upper=x, lower=y, numbers=()), [2, 2, 3, 3, 3])
    np.testing.assert_array_equal(
        of((rates, (3.0, 4.0)), upper=x, lower=(y, y), numbers=()), [0.5, 1.5, *[3] * Q, *[4] * Q]
    )
    np.testing.assert_array_equal(of(rates, upper=x, lower=(), numbers=()), [0.5, 1.5])
    np.testing.assert_array_equal(of((1.0, 7.0), upper=(), lower=y, numbers=jnp.ones((2, 1))), [1, 1, 1, 7, 7])
    assert of(None, upper=x, lower=y, numbers=()) is None
    with pytest.raises(ValueError, match=r"factors=\(rho_x, rho_y\)"):
        of(2.0, upper=x, lower=y, numbers=())
    with pytest.raises(ValueError, match=r"the shape \(3,\), and its vector \(5,\)"):
        of(y, upper=x, lower=(), numbers=())
    wrong = lambda self, mix, round, s: Pair(mix(upper=s.x, factors=(1.0, 2.0)), s.y)
    with pytest.raises(ValueError, match="factors are of another structure"):
        hg.solve(that(wrong), PROBLEM, hg.networks.ring(3), rounds=1)
