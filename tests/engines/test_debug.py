"""Debug runs the same network, and says where something breaks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from engines.running import ALGORITHMS, Pair, TwoMixes, distance, problem_for, rounds_on, two_mixes_by_hand
from hypergossip.core.algorithm import register
from hypergossip.engines import DebugError, Job


@pytest.mark.parametrize("name", ["Diamond", "SVRInteract"])  # a drawn depth, and a branch; Slam is among the laws
def test_the_engines_agree(name: str) -> None:
    problem, network = problem_for(name, 4), hg.networks.star(4)
    fast = rounds_on(hg.Simulated(), ALGORITHMS[name], problem, network, 5)
    slow = rounds_on(hg.Debug(), ALGORITHMS[name], problem, network, 5)
    assert distance(fast, slow) < 1e-10


def test_two_mixes_a_round() -> None:
    problem, network = problem_for("TwoMixes", 4, noise=0.0), hg.networks.ring(4)
    state, cost = rounds_on(hg.Debug(), TwoMixes(0.1, 0.2), problem, network, 5)
    assert np.allclose(state.x[0], two_mixes_by_hand(TwoMixes(0.1, 0.2), problem, network, 5), rtol=0, atol=1e-12)
    assert np.array_equal(cost.upper_gradients, np.full((1, 4), 5))


def test_a_sweep_over_several_runs() -> None:
    problem, network = problem_for("TwoMixes", 3), hg.networks.path(3)
    swept = TwoMixes(np.array([0.1, 0.2]), np.array([0.2, 0.1]))
    arguments = (swept, problem, network, 3, 2, True)
    assert distance(rounds_on(hg.Debug(), *arguments), rounds_on(hg.Simulated(), *arguments)) < 1e-12


def test_solve_and_resume(tmp_path) -> None:
    problem, network, algorithm = problem_for("DSGD", 3), hg.networks.path(3), ALGORITHMS["DSGD"]
    settings = {"observe_every": 2, "check": False}
    whole = hg.solve(algorithm, problem, network, rounds=4, **settings)
    hg.solve(algorithm, problem, network, rounds=2, engine=hg.Debug(), checkpoint=tmp_path, **settings)
    on = hg.solve(algorithm, problem, network, rounds=4, engine=hg.Debug(), checkpoint=tmp_path, **settings)
    columns = whole.history.columns.drop("seconds")
    assert np.allclose(whole.history[columns], on.history[columns], rtol=1e-8, atol=1e-12)


class Told(TwoMixes):
    """TwoMixes that does what a test wants before its first mix, with real values at hand."""

    before_mix: Any = staticmethod(lambda round, state, mix: state)

    def step(self, agent: Any, mix: Any, round: Any, state: Pair, key: Any) -> Any:
        return super().step(agent, mix, round, type(self).before_mix(round, state, mix), key)


def made(kind: type, **more: Any) -> Any:
    """A fresh algorithm of a kind."""
    return register(type(kind.__name__, (kind,), {"__annotations__": dict(TwoMixes.__annotations__)} | more))(0.1, 0.2)


def told(before_mix: Any) -> Any:
    return made(Told, before_mix=staticmethod(before_mix))


def marked(agents: int, which: int) -> hg.Problem:
    """A quadratic in which one agent alone has the noise 7: how a program of one agent knows it in a test."""
    problem = problem_for("DSGD", agents)
    noise = jnp.where(jnp.arange(agents) == which, 7.0, 0.0)
    oracles = type(problem.oracles)(**(problem.oracles.__dict__ | {"noise": noise}))
    return hg.Problem.from_oracles(oracles, x0=problem.x0, y0=problem.y0)


class Touchy(type(problem_for("DSGD", 1).oracles)):
    """A quadratic whose lower gradient raises in the marked agent once y has moved."""

    def lower_gradient(self, x: Any, y: Any, key: Any) -> Any:
        if float(self.noise) == 7.0 and float(jnp.sum(jnp.abs(y))) > 0:
            raise ZeroDivisionError("a loss of the user's own")
        return super().lower_gradient(x, y, key)


def test_values_are_real_and_agents_come_in_turn() -> None:
    seen: list[tuple[int, float]] = []

    def look(round: Any, state: Pair, mix: Any) -> Pair:
        seen.append((int(round), float(state.x[0])))
        return state

    problem, network = problem_for("DSGD", 4), hg.networks.ring(4)
    state, _ = rounds_on(hg.Debug(), told(look), problem, network, 1)
    again, _ = rounds_on(hg.Debug(), told(look), problem, network, 2)
    assert [round for round, _ in seen] == [0] * 4 + [0] * 4 + [1] * 4
    assert [value for _, value in seen[8:]] == state.x[0, :, 0].tolist()
    assert again.x.shape == (1, 4, 5)


def test_an_oracle_that_raises_is_named_with_agent_and_round() -> None:
    problem = marked(4, 2)
    numbers = [name for name in problem.oracles.__dict__ if name != "exact"]
    touchy = jax.tree_util.register_dataclass(Touchy, numbers, ["exact"])(**problem.oracles.__dict__)
    problem = hg.Problem.from_oracles(touchy, x0=problem.x0, y0=problem.y0)
    with pytest.raises(DebugError, match=r"round 1, agent 2: step raised ZeroDivisionError: a loss of the") as caught:
        rounds_on(hg.Debug(), ALGORITHMS["DSGD"], problem, hg.networks.ring(4), 3)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    named = hg.Problem.from_oracles(touchy, x0=problem.x0, y0=problem.y0, names=list("abcd"))
    with pytest.raises(DebugError, match=r"round 1, agent 2 \('c'\): step raised ZeroDivisionError"):
        rounds_on(hg.Debug(), ALGORITHMS["DSGD"], named, hg.networks.ring(4), 3)


def test_what_is_not_finite_is_named_with_its_entry() -> None:
    problem, network = problem_for("DSGD", 3), hg.networks.path(3)
    algorithm = hg.DSGD(np.array([0.1, np.inf]), np.array([0.1, 0.1]), hg.Exact())
    swept = jax.tree.map(lambda leaf: np.broadcast_to(leaf, 2), algorithm)
    with pytest.raises(
        DebugError, match=r"round 0 of run 1, agent 0: x is no longer finite \(5 of 5 .* x\[0\] is -?inf"
    ):
        rounds_on(hg.Debug(), swept, problem, network, 2, runs=2, swept=True)


def test_a_start_that_raises_is_named() -> None:
    class Stuck(Told):
        def init(self, agent: Any, x: Any, y: Any, key: Any) -> Pair:
            return Pair(x * (1 / float(agent.noise - 7.0)), y)

    with pytest.raises(DebugError, match="the start, agent 1: init raised ZeroDivisionError"):
        rounds_on(hg.Debug(), made(Stuck), marked(3, 1), hg.networks.path(3), 1)


def test_agents_that_mix_unequally_often() -> None:
    def one_more(round: Any, state: Pair, mix: Any) -> Pair:
        if float(jnp.sum(jnp.abs(state.x))) > 0:
            mix(upper=state.x)
        return state

    problem = marked(3, 1)
    start = np.zeros((1, 3, 5))
    start[0, 1] = 1.0
    engine, network, algorithm = hg.Debug(), hg.networks.path(3), told(one_more)
    session = engine.open(Job(algorithm, problem, network, jax.vmap(jax.random.key)(np.arange(1))))
    state = session.start(start, np.zeros((1, 3, 4)))
    with pytest.raises(DebugError, match="round 0: agent 1 calls mix more often than agent 0"):
        session.advance(state, 0, 1)


def test_agents_that_send_different_vectors() -> None:
    class Longer(Told):
        def step(self, agent: Any, mix: Any, round: Any, state: Pair, key: Any) -> Any:
            return Pair(mix(upper=state.x if float(agent.noise) == 0 else (state.x, state.x))[0], state.y)

    with pytest.raises(DebugError, match="round 0: agent 0 sends 5 numbers and agent 2 sends 10 in the same mix"):
        rounds_on(hg.Debug(), made(Longer), marked(3, 2), hg.networks.path(3), 1)
