"""Sharded runs the same network as Simulated, on eight devices of one process (law 1)."""

from typing import Any

import jax
import numpy as np
import pytest

import hypergossip as hg
from engines.running import ALGORITHMS, GRAPHS, TwoMixes, distance, problem_for, rounds_on, two_mixes_by_hand
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job, sharded

# Every network, and unlike kinds of message; their product would mostly wait for the compiler, and every method is held
# to the matrix among the laws.
LAW_1 = [*(("DSGD", graph) for graph in GRAPHS), ("Diamond", "erdos_renyi"), ("Slam", "star")]


@pytest.mark.parametrize(("name", "graph"), LAW_1)
def test_the_engines_agree(name: str, graph: str) -> None:
    problem, network = problem_for(name, 9), GRAPHS[graph](9)
    alone = rounds_on(hg.Simulated(), ALGORITHMS[name], problem, network, 50)
    spread = rounds_on(hg.Sharded(), ALGORITHMS[name], problem, network, 50)
    assert distance(alone, spread) < 1e-10
    assert np.abs(alone[0].x).max() > 0.1


@pytest.mark.parametrize(("agents", "devices"), [(8, 3), (5, None), (8, 1)])
def test_any_number_of_devices_and_two_mixes_a_round(agents: int, devices: int | None) -> None:
    problem, network = problem_for("TwoMixes", agents, noise=0.0), hg.networks.ring(agents)
    state, cost = rounds_on(hg.Sharded(devices=devices), TwoMixes(0.1, 0.2), problem, network, 20)
    assert np.allclose(state.x[0], two_mixes_by_hand(TwoMixes(0.1, 0.2), problem, network, 20), rtol=0, atol=1e-12)
    assert np.array_equal(cost.samples, np.full((1, agents), 40))


@pytest.mark.parametrize(("name", "agents"), [("Slam", 9), ("DSGD", 16)])
def test_results_and_histories_agree_with_several_seeds(name: str, agents: int) -> None:
    problem, network = problem_for(name, agents), hg.networks.ring(agents)
    settings = {"rounds": 8, "seeds": 2, "observe_every": 4, "check": False}
    one, other = (
        hg.solve(ALGORITHMS[name], problem, network, engine=e, **settings) for e in (hg.Simulated(), hg.Sharded())
    )
    assert one.x.shape == other.x.shape == (2, agents, 5)
    assert distance((one.x, one.y), (other.x, other.y)) < 1e-12
    columns = one.history.columns.drop("seconds")
    assert np.allclose(one.history[columns], other.history[columns], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("agents", [9, 16])
def test_a_checkpoint_goes_from_engine_to_engine(agents: int, tmp_path) -> None:
    problem, network, algorithm = problem_for("DSGD", agents), hg.networks.ring(agents), ALGORITHMS["DSGD"]
    settings = {"observe_every": 6, "check": False, "measure": False}
    whole = hg.solve(algorithm, problem, network, rounds=12, **settings)
    for first, then in ((hg.Sharded(), hg.Simulated()), (hg.Simulated(), hg.Sharded())):
        folder = tmp_path / type(first).__name__
        hg.solve(algorithm, problem, network, rounds=6, engine=first, checkpoint=folder, **settings)
        on = hg.solve(algorithm, problem, network, rounds=12, engine=then, checkpoint=folder, **settings)
        assert on.rounds == 12
        assert distance((whole.x, whole.y, whole.saved.cost), (on.x, on.y, on.saved.cost)) < 1e-12


def test_a_second_run_and_a_sweep_are_not_traced_again() -> None:
    problem, network = problem_for("TwoMixes", 16), hg.networks.ring(16)
    engine = hg.Sharded()
    rounds_on(engine, TwoMixes(0.1, 0.2), problem, network, 3)
    traces, compiled = len(TwoMixes.traces), sharded._advance._cache_size()
    rounds_on(hg.Sharded(), TwoMixes(0.05, 0.1), problem, network, 7)
    assert len(TwoMixes.traces) == traces
    assert sharded._advance._cache_size() == compiled

    steps = np.array([0.02, 0.05, 0.1])
    swept = rounds_on(engine, TwoMixes(steps, steps), problem, network, 5, runs=3, swept=True)
    assert len(TwoMixes.traces) == traces + 1
    assert distance(swept, rounds_on(hg.Simulated(), TwoMixes(steps, steps), problem, network, 5, 3, True)) < 1e-12


def job(problem: hg.Problem, network: Any) -> Job:
    return Job(ALGORITHMS["DSGD"], problem, network, run_key(0)[None])


def test_a_round_on_a_ring_is_two_permutations_and_nothing_else() -> None:
    problem, network, algorithm = problem_for("DSGD", 16), hg.networks.ring(16), ALGORITHMS["DSGD"]
    engine = hg.Sharded()
    keys = jax.vmap(jax.random.key)(np.arange(2))
    session = engine.open(Job(algorithm, problem, network, keys))
    state = session.start(*(np.broadcast_to(v, (2, 16, v.size)) for v in (problem.x0, problem.y0)))
    given = (algorithm, False, session.placed, session.spaces, state, keys, np.int32(0), np.int32(1))
    program = sharded._advance.lower(*given, state.x.sharding)
    text = program.compile().as_text()
    assert text.count(" collective-permute(") + text.count(" collective-permute-start(") == 2
    assert not any(f" {other}" in text for other in ("all-gather", "all-reduce", "all-to-all"))


def test_state_and_data_are_spread_where_the_agents_divide() -> None:
    session = hg.Sharded().open(job(problem_for("DSGD", 16), hg.networks.ring(16)))
    state = session.put(np.zeros((3, 16, 5)))
    for leaf in (session.placed.oracles.H, session.placed.identities, state):
        assert not leaf.is_fully_replicated
        assert len(leaf.sharding.device_set) == 8
    assert {shard.data.shape for shard in state.addressable_shards} == {(3, 2, 5)}


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (hg.Sharded(devices=9), "devices is 9, and there are 8"),
        (hg.Sharded(devices=0), "devices is 0"),
        (hg.Sharded(devices=True), "devices is True"),
        (hg.Sharded(mixing="sparse"), "mixing is 'sparse'"),
    ],
)
def test_refused(engine: hg.Sharded, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        engine.open(job(problem_for("DSGD", 9), hg.networks.ring(9)))


def test_one_process_leads_and_tells_itself() -> None:
    for engine in (hg.Sharded(), hg.Simulated(), hg.Debug()):
        session = engine.open(job(problem_for("DSGD", 9), hg.networks.ring(9)))
        assert session.is_leader
        assert np.array_equal(session.all_gather(0.1, 3), [[0.1, 3.0]])
