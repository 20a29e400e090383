"""A start of every agent, and results gone on from: on their own data alone."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running import snapshot as checkpoint
from hypergossip.running.fingerprint import data_digest, losses_digest, problem_digest
from hypergossip.running.run import begin
from small_problems import logistic

AGENTS, P, Q = 4, 2, 3
NETWORK = hg.networks.path(AGENTS)
STILL = hg.DSGD(0.0, 0.0, hg.Exact())
ENGINES = [hg.Simulated(), hg.Debug(), hg.Sharded(devices=3)]
METHODS = {
    "Diamond": (hg.Diamond(0.05, 0.1, 0.5, 0.5, hg.Exact()), "upper"),
    "GTSGD": (hg.GTSGD(0.05, 0.1, hg.Exact()), "upper"),
    "Slam": (hg.Slam(0.02, 0.05, 1.0, 0.5, hg.Exact()), "both"),
    "SlamTracked": (hg.SlamTracked(0.02, 0.05, 0.05, 1.0, 0.5), "both"),
}


def quadratic(share="upper", x0=None, y0=None):
    """Quadratics whose rows have no M_t, which would take longer to compile than all the rest."""
    oracles = hg.problems.quadratic(AGENTS, P, Q, seed=0, noise=0.1).oracles
    x0, y0 = np.zeros(P) if x0 is None else x0, np.zeros(Q) if y0 is None else y0
    return hg.Problem.from_oracles(oracles, x0=x0, y0=y0, share=share, losses=False)


def points(seed=0, agents=AGENTS):
    random = np.random.default_rng(seed)
    return random.standard_normal((agents, P)), random.standard_normal((agents, Q))


def solve(problem, algorithm=STILL, network=NETWORK, **options):
    settings = {"rounds": 5, "observe_every": 5, "check": False, "measure": False}
    return hg.solve(algorithm, problem, network, **(settings | options))


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_agents_start_where_they_are_told(engine):
    x0, y0 = points()
    begun = solve(quadratic(), engine=engine, x0=x0, y0=y0, rounds=0, seeds=2)
    for seed in range(2):
        np.testing.assert_array_equal(begun.x[seed], x0)
        np.testing.assert_array_equal(begun.y[seed], y0)


def test_without_steps_rounds_only_mix():
    """x is averaged by W in every round, and y, which is not shared, stays."""
    x0, y0 = points()
    result = solve(quadratic(), x0=x0, y0=y0, rounds=3, measure="consensus_error")
    power = np.linalg.matrix_power(NETWORK.mixing.toarray(), 3)
    np.testing.assert_allclose(result.x, power @ x0, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(result.y, y0)
    rows = result.history
    np.testing.assert_allclose(rows["consensus_error"].iloc[0], np.sum((x0 - x0.mean(axis=0)) ** 2), rtol=1e-12)


def test_one_level_alone_and_trees():
    problem = quadratic(x0={"decay": np.zeros(1), "tilt": np.zeros(())}, y0=(np.zeros(2), np.ones(1)))
    x0 = {"decay": np.arange(AGENTS)[:, None], "tilt": jnp.ones(AGENTS, jnp.float32)}  # whole numbers, too
    result = solve(problem, x0=x0, rounds=0)
    np.testing.assert_array_equal(result.x["decay"], x0["decay"])
    np.testing.assert_array_equal(result.x["tilt"], x0["tilt"])
    np.testing.assert_array_equal(result.y[0], np.zeros((AGENTS, 2)))
    np.testing.assert_array_equal(result.y[1], np.ones((AGENTS, 1)))
    on = solve(problem, x0=result.x, y0=result.y, rounds=0)  # what a result holds is what is taken
    jax.tree.map(np.testing.assert_array_equal, (on.x, on.y), (result.x, result.y))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_start_of_all_is_the_problems_own(name):
    algorithm, share = METHODS[name]
    problem = quadratic(share=share)
    same = [np.tile(np.asarray(v), (AGENTS, 1)) for v in (problem.x0, problem.y0)]
    told, untold = solve(problem, algorithm, x0=same[0], y0=same[1]), solve(problem, algorithm)
    np.testing.assert_array_equal(told.x, untold.x)
    np.testing.assert_array_equal(told.y, untold.y)


@pytest.mark.parametrize("name", METHODS)
def test_new_names_for_the_agents_rename_the_run(name):
    algorithm, share = METHODS[name]
    (x0, y0), order, problem = points(), [2, 0, 3, 1], quadratic(share=share)
    named = solve(problem, algorithm, x0=x0, y0=y0)
    renamed = solve(problem.relabelled(order), algorithm, network=NETWORK.relabelled(order), x0=x0[order], y0=y0[order])
    np.testing.assert_allclose(renamed.x, named.x[order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(renamed.y, named.y[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_conserved_stays_zero_from_unlike_starts(name):
    algorithm, share = METHODS[name]
    x0, y0 = points()
    run, carry = begin(hg.Simulated(), algorithm, False, quadratic(share), NETWORK, np.array([0]), None, (x0, y0))
    for rounds in (0, 1, 20):
        state, _ = run.session.advance(carry.state, 0, rounds)
        np.testing.assert_array_equal(carry.state.x[0], x0)
        terms = jax.tree.leaves(jax.vmap(algorithm.conserved)(jax.tree.map(lambda leaf: leaf[0], state)))
        for leaf in terms:
            assert np.abs(np.sum(leaf, axis=0)).max() < 1e-12 * max(1.0, AGENTS * np.abs(leaf).max())
    assert max(np.abs(leaf).max() for leaf in terms) > 1e-2  # so that it says something


WRONG = {
    "another structure": ({"x0": {"x": np.zeros((AGENTS, P))}}, "x0 has the structure"),
    "one agent's": ({"x0": np.zeros(P)}, r"x0 has shape \(2,\); give \(4, 2\)"),
    "other agents": ({"y0": np.zeros((3, Q))}, r"y0 has shape \(3, 3\); give \(4, 3\)"),
    "a seed axis": ({"x0": np.zeros((2, AGENTS, P))}, r"x0 has shape \(2, 4, 2\)"),
    "NaN": ({"y0": np.array([[0.0] * Q] * 2 + [[np.nan] * Q] * 2)}, "y0 of agent 2 is NaN or infinite"),
    "text": ({"x0": np.full((AGENTS, P), "a")}, "x0 has type <U1; give real numbers"),
    "complex": ({"x0": np.zeros((AGENTS, P), complex)}, "x0 has type complex128"),
    "bools": ({"x0": np.zeros((AGENTS, P), bool)}, "x0 has type bool"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_start_that_does_not_fit_is_refused(name):
    given, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        solve(quadratic(), **given)


def test_a_leaf_that_does_not_fit_is_named():
    problem = quadratic(x0={"decay": np.zeros(1), "tilt": np.zeros(1)})
    x0 = {"decay": np.zeros((4, 1)), "tilt": np.zeros((4, 2))}
    with pytest.raises(ValueError, match=r"x0\['tilt'\] has shape \(4, 2\); give \(4, 1\)"):
        solve(problem, x0=x0)


def test_too_large_for_the_precision_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="x0 of agent 0 is NaN or infinite in float32"):
        solve(quadratic(), x0=np.full((AGENTS, P), 1e300))


def test_one_beginning_only():
    problem, (x0, _) = quadratic(), points()
    first = solve(problem)
    with pytest.raises(ValueError, match="both say where the run begins"):
        solve(problem, start=first, x0=x0)


def test_a_checkpoint_begun_elsewhere_is_refused(tmp_path):
    x0, y0 = points()
    first = solve(quadratic(), x0=x0, y0=y0, checkpoint=tmp_path)
    assert solve(quadratic(), x0=x0, y0=y0, checkpoint=tmp_path).rounds == first.rounds
    for other in ({}, {"x0": x0 + 1, "y0": y0}, {"x0": x0}):
        with pytest.raises(hg.CheckpointError, match=r"start differ"):
            solve(quadratic(), checkpoint=tmp_path, **other)


def other_data(problem):
    """The same losses and shapes; the first number of one agent is another."""
    changed = jax.tree.map(jnp.asarray, problem.oracles)
    leaves, structure = jax.tree.flatten(changed)
    leaves[0] = leaves[0].at[(1,) + (0,) * (leaves[0].ndim - 1)].add(1e-3)
    same = hg.Problem.__new__(hg.Problem)
    same.__dict__.update(problem.__dict__, oracles=jax.tree.unflatten(structure, leaves))
    return same


@pytest.mark.parametrize("loaded", [False, True])
def test_going_on_with_other_data_is_refused(loaded, tmp_path):
    problem = quadratic()
    first = solve(problem, METHODS["Diamond"][0])
    if loaded:
        first.save(tmp_path)
        first = hg.load(tmp_path)
    with pytest.raises(ValueError, match=r"computed on other data.*x0=result\.x, y0=result\.y"):
        solve(other_data(problem), METHODS["Diamond"][0], start=first)
    again = solve(quadratic(), METHODS["Diamond"][0], start=first)  # the same data, made anew
    assert again.rounds == 10
    on_purpose = solve(other_data(problem), METHODS["Diamond"][0], x0=first.x, y0=first.y, rounds=0)
    np.testing.assert_array_equal(on_purpose.x, first.x)


def test_going_on_looks_at_the_data_and_not_at_where_the_problem_starts():
    problem = quadratic()
    elsewhere = quadratic(x0=np.ones(P), y0=np.ones(Q))
    assert solve(elsewhere, start=solve(problem)).rounds == 10
    assert problem_digest(elsewhere) != problem_digest(problem)
    assert data_digest(elsewhere) == data_digest(problem)


def test_a_renumbered_problem_has_a_digest_of_its_own():
    problem = quadratic()
    before = data_digest(problem)
    renumbered = problem.relabelled([1, 0, 2, 3])
    assert data_digest(renumbered) != before
    assert data_digest(renumbered.relabelled([1, 0, 2, 3])) == before == data_digest(problem)
    with pytest.raises(ValueError, match="other data"):
        solve(renumbered, start=solve(problem))


def test_digests_are_computed_when_they_are_needed_and_once(monkeypatch, tmp_path):
    seen = []
    add = checkpoint.Digest.add
    monkeypatch.setattr(checkpoint.Digest, "add", lambda self, tree: seen.append(1) or add(self, tree))
    problem = quadratic()
    first = solve(problem)
    assert first.saved.configuration["algorithm"].startswith("DSGD(")
    assert seen == []
    once = first.saved.configuration["data"]
    count = len(seen)
    assert count > 0
    assert data_digest(problem) == once
    second = solve(problem, start=first)
    assert second.saved.configuration["data"] == once
    assert len(seen) == count
    second.save(tmp_path / "second")
    assert hg.load(tmp_path / "second").saved.configuration == second.saved.configuration
    assert type(hg.load(tmp_path / "second").saved.configuration) is dict


def test_a_result_is_copied_and_pickled_with_its_digests_and_without_its_problem():
    first = solve(quadratic())
    for there in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert there.saved.configuration == first.saved.configuration
        assert type(there.saved.configuration) is dict
        assert solve(quadratic(), start=there).rounds == 10


def test_losses_are_traced_in_the_precision_of_the_problem():
    """A digest that is computed later, with JAX's switch turned, is the one that it would have been."""
    with jax.enable_x64(False):
        problem, other = logistic((2, 2)), logistic((2, 2))
        now = losses_digest(problem)
    assert losses_digest(other) == now
    assert losses_digest(logistic((2, 2))) != now
