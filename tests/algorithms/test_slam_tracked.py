"""SlamTracked: its transcription, its stability, and the optimum that SLAM's local second derivatives miss."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, P, Q, logistic_data, logistic_problem, quadratic_problem
from laws.running import final
from laws.table import REFERENCE, SLAM, TRACKED
from laws.transcribed import NETWORKS, ROUNDS, SEED, SIZE, X0, Y0, ZEROS, noisy_world, run, same, slam_scales
from numpy_methods.draws import batches
from numpy_methods.graphs import weighted_incidence
from numpy_methods.logistic import logistic_world
from numpy_methods.slam_tracked import slam_tracked


def transcribed(world, network, start, algorithm, share):
    A = weighted_incidence(network.mixing.toarray(), network.edges)
    return slam_tracked(world, A, *start, ROUNDS, algorithm.adjoint_step, slam_scales(algorithm, share))


@pytest.mark.parametrize("share", ["both", "upper"])
def test_fed_the_same_noise_it_is_its_transcription(share):
    problem = quadratic_problem(share)
    points = transcribed(noisy_world(problem), NETWORK, ZEROS, TRACKED, share)
    same(run(TRACKED, problem), points, apart=1e-3)


def test_on_batches_it_is_its_transcription_on_the_same_rows():
    """Second derivatives that move: H, J and dy f are all taken at the new y, on the rows of their own samples."""
    agents, network, algorithm = 5, NETWORKS[5], hg.SlamTracked(0.3, 0.4, 0.35, 0.8, 0.9)
    rows = batches(SEED, ROUNDS, np.full(agents, 12), np.full(agents, 10), SIZE)
    start = np.tile(X0, (agents, 1)), np.tile(Y0, (agents, 1))
    points = transcribed(logistic_world(*logistic_data(agents), rows), network, start, algorithm, "both")
    same(run(algorithm, logistic_problem("both", agents, batch_size=SIZE), network), points, X0, apart=1e-3)


def test_slams_surrogate_is_biased_on_unlike_agents_and_this_is_not():
    bias, distance = [], []
    for curvature_heterogeneity in (0.0, 0.25, 0.5, 1.0):
        problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=curvature_heterogeneity)
        optimum = solution(problem).x
        for algorithm, ends in ((SLAM, bias), (TRACKED, distance)):
            ends.append(np.linalg.norm(final(REFERENCE, algorithm, problem, NETWORK, 2500).x - optimum, axis=1).max())
    assert bias[0] < 1e-6  # equal second derivatives
    assert (np.diff(bias) > 1e-2).all()  # and the bias grows with their heterogeneity
    assert max(distance) < 1e-6


PARTIAL = {"upper": {"mine": False, "ours": True}, "lower": {"ours": True, "mine": False}}


def partly_shared():
    """Unlike quadratics of which every agent keeps a leaf of x and a leaf of y to itself."""
    return hg.Problem.from_oracles(
        quadratic_problem("both", noise=0.0).oracles,
        x0={"mine": np.zeros(1), "ours": np.zeros(P - 1)},
        y0={"mine": np.zeros(1), "ours": np.zeros(Q - 1)},
        share=PARTIAL,
    )


def places(size):
    """(agents, size, entries): where the entries of each agent, its own first one and the shared rest, stand in all."""
    shared = size - 1
    select = np.zeros((AGENTS, size, shared + AGENTS))
    select[:, 1:, :shared] = np.eye(shared)
    select[np.arange(AGENTS), 0, shared + np.arange(AGENTS)] = 1.0
    return select


def optimum_of_the_network(problem):
    """Minimises sum_i f_i over the network's distinct entries, with y the minimiser of sum_i g_i over its own."""
    o = jax.tree.map(np.asarray, problem.oracles)
    to_x, to_y = places(P), places(Q)
    H = np.einsum("nqa,nqr,nrb->ab", to_y, o.H, to_y)
    S = np.linalg.solve(H, np.einsum("nqa,nqp,npb->ab", to_y, o.B, to_x))
    s = np.linalg.solve(H, np.einsum("nqa,nq->a", to_y, o.c))
    # sum_i (y_i - d)'F(y_i - d)/2 + (x_i - e)'diag(a)(x_i - e)/2 with x_i = to_x X and y_i = to_y (S X + s)
    y_of_X = to_y @ S
    A = np.einsum("nqa,nqr,nrb->ab", y_of_X, o.F, y_of_X) + np.einsum("npa,np,npb->ab", to_x, o.a, to_x)
    b = np.einsum("npa,np->a", to_x, o.a * o.e) - np.einsum("nqa,nqr,nr->a", y_of_X, o.F, to_y @ s - o.d)
    X = np.linalg.solve(A, b)
    return to_x @ X, to_y @ (S @ X + s)


def test_with_both_levels_shared_in_part_it_reaches_the_optimum():
    problem = partly_shared()
    x, y = optimum_of_the_network(problem)
    state = final(REFERENCE, TRACKED, problem, NETWORK, 2500)
    np.testing.assert_allclose(state.x, x, atol=1e-9)
    np.testing.assert_allclose(state.y, y, atol=1e-9)
    assert np.ptp(x[:, 0]) > 0.1
    assert np.ptp(y[:, 0]) > 0.1
    result = hg.solve(TRACKED, problem, NETWORK, rounds=2500, check=False)
    assert result.history["metric"].iloc[-1] < 1e-15  # the metric's own solver agrees that it is the optimum


def test_the_adjoint_step_is_stable_below_its_bound_and_not_above():
    """With x and y held still, z alone is the recursion; equal second derivatives make the bound sharp."""
    problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=0.0)
    top = np.linalg.eigvalsh(np.asarray(problem.oracles.H[0]))[-1]
    bound = 4 / ((1 + 2 * TRACKED.gamma) * TRACKED.rho * (1 - NETWORK.smallest_eigenvalue) + 2 * top)
    o = problem.oracles
    fy = np.einsum("nqr,nr->nq", o.F, -np.asarray(o.d)).mean(axis=0)
    adjoint = np.linalg.solve(o.H[0], fy)
    for factor in (0.99, 1.01):
        algorithm = replace(TRACKED, upper_step=0.0, lower_step=0.0, adjoint_step=factor * bound)
        z = final(REFERENCE, algorithm, problem, NETWORK, 2000).z
        error = np.abs(z - adjoint).max()
        assert error < 1e-6 if factor < 1 else error > 1e6
        said = concerns(replace(TRACKED, adjoint_step=factor * bound), facts(problem, NETWORK))
        assert [text.startswith("SlamTracked: adjoint_step") for text in said] == [True] * (factor > 1)


def test_a_penalty_that_follows_the_step_keeps_the_bound_of_the_whole_step():
    """The factor takes its part of 4, whatever the step, and the curvature has the rest."""
    known = facts(quadratic_problem("both"), NETWORK)
    factor, top = 0.4, known.lower_curvature[1]
    bound = (4 - (1 + 2 * TRACKED.gamma) * factor * (1 - NETWORK.smallest_eigenvalue)) / (2 * top)
    for over in (0.99, 1.01):
        said = concerns(replace(TRACKED, rho=hg.InverseStep(factor), lower_step=over * bound), known)
        assert [text.startswith("SlamTracked: lower_step") for text in said] == [True] * (over > 1)
        assert all(f"it should stay below {bound:.3g}" in text for text in said)


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)
    assert concerns(TRACKED, known) == []
    for step in ("upper_step", "lower_step", "adjoint_step"):
        with pytest.raises(ValueError, match=f"SlamTracked: {step} = 2 is unstable on this network"):
            concerns(replace(TRACKED, **{step: 2.0}), known)
    with pytest.raises(ValueError, match=r"SlamTracked: rho = 0; it must be finite and positive"):
        concerns(replace(TRACKED, rho=0.0), known)
    with pytest.raises(ValueError, match=r"SlamTracked: rho = 4 / step is unstable on this network for any step"):
        concerns(replace(TRACKED, rho=hg.InverseStep(4.0)), known)
    with pytest.raises(ValueError, match=r"SlamTracked: upper_step = 0, so that rho = 0\.5 / upper_step is infinite"):
        concerns(replace(TRACKED, rho=hg.InverseStep(0.5), upper_step=0.0), known)
    with pytest.raises(ValueError, match=r"shares only its lower level.* Use Slam"):
        concerns(TRACKED, facts(quadratic_problem("lower"), NETWORK))
