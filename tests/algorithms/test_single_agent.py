"""The single-agent methods on a quadratic of one agent: how near they come, and which is a special case of which."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import hypergossip as hg
from hypergossip.algorithms.bsa import growing_steps
from hypergossip.problems.quadratic import quadratic, solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, P, Q, logistic_problem, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from small_problems import dense

ALONE = hg.networks.single()
PROBLEM = quadratic(1, P, Q, seed=3)
OPTIMUM = solution(PROBLEM)
ALPHA, BETA = 0.2, 0.4
STEPS = {"upper_step": ALPHA, "lower_step": BETA}
EXACT = hg.Exact()
ROUNDS = 500


def derivatives(x, y):
    """dx f, dy f, H and J of the one agent."""
    return dense(PROBLEM.agent(0), x, y)


def lower_solution(x):
    return OPTIMUM.lower_solution(x)[0]


H, J = derivatives(np.zeros(P), np.zeros(Q))[2:]
ADJOINT = np.linalg.solve(H, derivatives(OPTIMUM.x, OPTIMUM.y[0])[1])


def zero(residual):
    """Where an affine function of x vanishes."""
    at_zero = residual(np.zeros(P))
    return np.linalg.solve(np.stack([residual(unit) - at_zero for unit in np.eye(P)], axis=1), -at_zero)


def contracted(steps):
    """(I - beta H)^steps."""
    return np.linalg.matrix_power(np.eye(Q) - BETA * H, steps)


# Those whose fixed point is the optimum itself, or off by a series so long (0.6^60, 0.76^110) that nobody can tell.
TO_ROUND_OFF = {
    "ALSET": hg.ALSET(**STEPS, inner_steps=3, hypergradient=EXACT),
    "TTSA": hg.TTSA(**STEPS, hypergradient=EXACT),
    "StocBiO": hg.StocBiO(**STEPS, inner_steps=2, terms=110, lipschitz=4.2, strong_convexity=1.0, batches=2),
    "AIDBiO with one step of each loop": hg.AIDBiO(**STEPS, inner_steps=1, iterations=1),
    "ITDBiO": hg.ITDBiO(**STEPS, inner_steps=60),
    "SOBA": hg.SOBA(**STEPS, adjoint_step=0.3),
    "Stable": hg.Stable(**STEPS, momentum=0.3, strong_convexity=0.5, jacobian_bound=9.0),
    "Sustain": hg.Sustain(**STEPS, upper_momentum=0.3, lower_momentum=0.4, hypergradient=EXACT),
    "MRBO": hg.MRBO(0.4, 0.8, 0.5, 0.7, terms=110, lipschitz=4.2, offset=8.0),
    "RSVRB": hg.RSVRB(**STEPS, upper_momentum=0.3, lower_momentum=0.4, adjoint_momentum=0.5, hypergradient=EXACT),
    "VRBiAdam": hg.VRBiAdam(0.1, 0.2, 0.3, 0.4, EXACT, interpolation=0.8, decay=0.8, regularization=0.5),
}


ADJOINT_OF = {"SOBA": "z", "AIDBiO with one step of each loop": "v"}


@pytest.mark.parametrize("name", TO_ROUND_OFF)
def test_one_agent_reaches_the_closed_form(name):
    state = final(REFERENCE, TO_ROUND_OFF[name], PROBLEM, ALONE, ROUNDS)
    np.testing.assert_allclose(state.x[0], OPTIMUM.x, atol=1e-10)
    np.testing.assert_allclose(state.y[0], OPTIMUM.y[0], atol=1e-10)
    assert np.linalg.norm(OPTIMUM.x - PROBLEM.x0) > 0.1
    assert concerns(TO_ROUND_OFF[name], facts(PROBLEM, ALONE)) == []
    if name in ADJOINT_OF:  # the tracked solution of the linear system
        np.testing.assert_allclose(getattr(state, ADJOINT_OF[name])[0], ADJOINT, atol=1e-10)


def unrolled_fixed_point(steps):
    """Where dx f - J [beta sum_{t<T} (I - beta H)^t] dy f = 0 at y*(x)."""

    def residual(x):
        fx, fy, *_ = derivatives(x, lower_solution(x))
        return fx - J @ (BETA * sum(contracted(t) for t in range(steps))) @ fy

    return zero(residual)


@pytest.mark.parametrize("steps", [2, 6])
def test_itd_bio_ends_where_the_unrolled_derivative_vanishes(steps):
    """Warm as it is: y goes to y*, but the derivative still leaves out all steps before the round's own."""
    state = final(REFERENCE, hg.ITDBiO(**STEPS, inner_steps=steps), PROBLEM, ALONE, ROUNDS)
    np.testing.assert_allclose(state.x[0], unrolled_fixed_point(steps), atol=1e-10)
    np.testing.assert_allclose(state.y[0], lower_solution(state.x[0]), atol=1e-10)
    assert np.linalg.norm(state.x[0] - OPTIMUM.x) > 1e-3


def test_the_bias_of_itd_bio_shrinks_as_its_theory_says():
    depths = np.array([20, 30, 40])
    bias = [np.linalg.norm(unrolled_fixed_point(T) - OPTIMUM.x) for T in depths]
    slowest = np.abs(1 - BETA * np.linalg.eigvalsh(H)).max()
    assert np.polyfit(depths, np.log(bias), 1)[0] == pytest.approx(np.log(slowest), rel=0.02)


def test_bsa_begins_every_inner_loop_cold_and_takes_a_step_for_every_root_of_a_round():
    """y_k - y*(x_k) = (I - beta H)^t_k (y_0 - y*(x_k)) with t_k = ceil(sqrt(k + 1)), in every round."""
    rounds = 60
    states = trajectory(REFERENCE, hg.BSA(**STEPS, hypergradient=EXACT), PROBLEM, ALONE, range(1, rounds + 1))
    xs = np.concatenate([[PROBLEM.x0], states.x[:, 0]])
    for k in range(rounds):
        there, steps = lower_solution(xs[k]), math.ceil(math.sqrt(k + 1))
        np.testing.assert_allclose(states.y[k, 0], there + contracted(steps) @ (PROBLEM.y0 - there), atol=1e-12)


def test_bsa_with_a_warm_loop_of_a_fixed_length_is_alset():
    methods = (
        hg.BSA(**STEPS, hypergradient=EXACT, warm=True, inner_steps=3),
        hg.ALSET(**STEPS, hypergradient=EXACT, inner_steps=3),
    )
    one, two = (trajectory(REFERENCE, method, PROBLEM, ALONE, range(1, 41)) for method in methods)
    for name in "xy":
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-13)
    cold = trajectory(REFERENCE, replace(methods[0], warm=False), PROBLEM, ALONE, range(1, 41))
    assert np.abs(cold.y[-1] - one.y[-1]).max() > 1e-3


def test_the_error_of_bsa_shrinks_with_the_root_of_the_rounds():
    """After t^2 rounds, the last of many with t inner steps, x solves the upper level for the y of t steps."""

    def fixed_point(steps):
        def residual(x):
            there = lower_solution(x)
            fx, fy, *_ = derivatives(x, there + contracted(steps) @ (PROBLEM.y0 - there))
            return fx - J @ np.linalg.solve(H, fy)

        return zero(residual)

    roots = np.array([8, 12, 16, 20])
    states = trajectory(REFERENCE, hg.BSA(**STEPS, hypergradient=EXACT), PROBLEM, ALONE, roots**2)
    error = np.linalg.norm(states.x[:, 0] - OPTIMUM.x, axis=1)
    np.testing.assert_allclose(error, [np.linalg.norm(fixed_point(t) - OPTIMUM.x) for t in roots], rtol=0.02)
    slowest = np.abs(1 - BETA * np.linalg.eigvalsh(H)).max()
    assert np.polyfit(roots, np.log(error), 1)[0] == pytest.approx(np.log(slowest), rel=0.05)


@pytest.mark.parametrize("rounding", [-2e-7, 0.0, 2e-7])
@pytest.mark.parametrize("double", [True, False])
def test_the_inner_steps_of_bsa_are_the_root_rounded_up(double, rounding, monkeypatch):
    """On a device whose square root is a bit off, too."""
    squares = np.concatenate([np.arange(1, 2000), np.arange(46000, 46300)]) ** 2
    rounds = np.unique(np.concatenate([np.arange(3000), squares - 2, squares - 1, squares]))
    rounds = rounds[rounds >= 0]
    root = jnp.sqrt
    monkeypatch.setattr(jnp, "sqrt", lambda v: root(v) * (1 + rounding))
    with jax.enable_x64(double):
        steps = np.asarray(growing_steps(rounds))
    assert steps.tolist() == [math.isqrt(int(k)) + 1 for k in rounds]  # the smallest t with t^2 >= k + 1


def same(one, other, problem, network, rounds=40, atol=1e-10):
    """Are two methods one on a problem? (Which they go through, not only where they end.)"""
    first, second = (final(REFERENCE, algorithm, problem, network, rounds, seed=5) for algorithm in (one, other))
    np.testing.assert_allclose(first.x, second.x, atol=atol)
    np.testing.assert_allclose(first.y, second.y, atol=atol)
    assert np.abs(first.x).max() > 0.1


def test_ttsa_alone_is_slam_alone():
    """Without neighbours nothing but the order is left of SLAM: y first, then x at the new y."""
    slam = hg.Slam(**STEPS, gamma=0.8, rho=1.5, hypergradient=EXACT)
    same(hg.TTSA(**STEPS, hypergradient=EXACT), slam, PROBLEM, ALONE)


def test_stocbio_on_single_batches_is_alset_with_a_plain_mini_batch_series():
    """A factor never has less than one batch, so from one batch on nothing can shrink."""
    problem = logistic_problem("upper", 2, batch_size=4)
    stocbio = hg.StocBiO(0.1, 0.2, inner_steps=2, terms=4, lipschitz=9.0, strong_convexity=3.0)
    alset = hg.ALSET(0.1, 0.2, 2, hg.MiniBatchNeumann(4, 9.0))
    assert stocbio.method == replace(alset, hypergradient=replace(alset.hypergradient, shrink=1 - 3.0 / 9.0))
    same(stocbio, alset, problem, hg.networks.complete(2), atol=0.0)


def test_aid_bio_with_as_many_iterations_as_entries_is_alset_with_exact():
    """With noise, too: both draw the same samples."""
    aid_bio = hg.AIDBiO(0.06, 0.12, inner_steps=2, iterations=Q)
    same(aid_bio, hg.ALSET(0.06, 0.12, 2, EXACT), quadratic_problem("upper"), NETWORK)


def test_itd_bio_on_a_quadratic_is_alset_with_a_truncated_series():
    """The derivative through T steps is the sum of T terms, for the Hessian is the same at every step."""
    itd_bio, series = hg.ITDBiO(0.06, 0.2, inner_steps=4), hg.TruncatedNeumann(4, 5.0)
    same(itd_bio, hg.ALSET(0.06, 0.2, 4, series), quadratic_problem("upper", noise=0.0), NETWORK)


def test_alset_that_solves_the_lower_level_is_gradient_descent_over_the_network():
    """x <- W x - alpha grad l_i(x_i), the single-level D-SGD, by each agent's closed form."""
    problem = quadratic_problem("upper", noise=0.0)
    state = final(REFERENCE, hg.ALSET(0.06, BETA, 60, EXACT), problem, NETWORK, 40)
    one = lambda i: hg.Problem.from_oracles(
        jax.tree.map(lambda leaf: leaf[i : i + 1], problem.oracles), x0=problem.x0, y0=problem.y0
    )
    gradients = [solution(one(i)).hypergradient for i in range(AGENTS)]
    x, W = np.zeros((AGENTS, P)), NETWORK.mixing.toarray()
    for _ in range(40):
        x = W @ x - 0.06 * np.stack([gradient(x[i]) for i, gradient in enumerate(gradients)])
    np.testing.assert_allclose(state.x, x, atol=1e-10)
    assert np.ptp(x, axis=0).max() > 1e-2


def program(algorithm, rounds=()):
    """The jaxpr of a step of three agents side by side, in one round or in each its own."""
    problem = quadratic(3, P, Q, seed=3)
    alone = lambda *, upper: upper

    def step(agent, round):
        state = algorithm.init(agent, problem.x0, problem.y0, jax.random.key(0))
        return algorithm.step(agent, alone, round, state, jax.random.key(1))

    every = jax.vmap(step, (0, 0 if rounds else None))
    return jax.make_jaxpr(every)(problem.oracles, jnp.asarray(rounds) if rounds else 7).jaxpr


def size(jaxpr):
    """The number of equations, those of inner jaxprs included."""
    return sum(1 + sum(map(size, jaxprs_in_params(equation.params))) for equation in jaxpr.eqns)


LOOPS = {
    "ALSET": lambda T: hg.ALSET(**STEPS, inner_steps=T, hypergradient=EXACT),
    "StocBiO": lambda T: hg.StocBiO(
        **STEPS, inner_steps=T, terms=T, lipschitz=4.2, strong_convexity=1.0, batches=3 * T
    ),
    "AIDBiO": lambda T: hg.AIDBiO(**STEPS, inner_steps=T, iterations=T),
    "ITDBiO": lambda T: hg.ITDBiO(**STEPS, inner_steps=T),
}


@pytest.mark.parametrize("name", LOOPS)
def test_inner_loops_are_loops(name):
    """More steps are not more program."""
    few, many = (size(program(LOOPS[name](T))) for T in (3, 50))
    assert few == many > 20


def test_the_inner_loop_of_bsa_ends_for_all_agents_at_once():
    """Its bound hangs on the round alone, so that no agent of a loop over all of them has to be held back."""
    bsa = hg.BSA(**STEPS, hypergradient=EXACT)
    for rounds in ((), (1, 2, 3)):
        (loop,) = [equation for equation in program(bsa, rounds).eqns if equation.primitive.name == "while"]
        assert [going_on.shape for going_on in loop.params["cond_jaxpr"].out_avals] == [(3,) if rounds else ()]


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        (hg.ALSET(**STEPS, inner_steps=0, hypergradient=EXACT), "ALSET: inner_steps = 0"),
        (hg.BSA(**STEPS, inner_steps=0, hypergradient=EXACT), "BSA: inner_steps = 0"),
        (hg.AIDBiO(**STEPS, inner_steps=0, iterations=3), "AIDBiO: inner_steps = 0"),
        (hg.AIDBiO(**STEPS, inner_steps=1, iterations=0), "AIDBiO: iterations = 0"),
        (hg.ITDBiO(**STEPS, inner_steps=0), "ITDBiO: steps = 0"),
        (hg.ITDBiO(0.1, 0.9, inner_steps=3), "ITDBiO: lower_step = 0.9 is above"),
        (hg.StocBiO(**STEPS, inner_steps=1, terms=3, lipschitz=4.2, strong_convexity=5.0), "shrink"),
        (hg.Stable(**STEPS, momentum=0.3, strong_convexity=0.0), "Stable: strong_convexity = 0.0"),
        (hg.Stable(**STEPS, momentum=0.3, strong_convexity=0.5, jacobian_bound=-1.0), "jacobian_bound = -1.0"),
        (hg.MRBO(0.4, 0.8, 0.5, 0.7, terms=5, lipschitz=0.2), "MiniBatchNeumann: the lower level's curvature"),
        (hg.RSVRB(0.1, 0.2, 0.3, 0.4, 0.5, hg.Unrolled(3, 0.1)), "RSVRB: Unrolled solves no linear system"),
        (hg.VRBiAdam(0.1, 0.2, 0.3, 0.4, EXACT, decay=1.0), "VRBiAdam: .* decay = 1"),
        (hg.VRBiAdam(0.1, 0.2, 0.3, 0.4, EXACT, regularization=0.0), "VRBiAdam: regularization = 0"),
        (hg.VRBiAdam(0.1, 0.2, 0.3, 0.4, EXACT, interpolation=1.5), "interpolation = 1.5"),
    ],
    ids=str,
)
def test_numbers_that_cannot_work_are_refused(algorithm, words):
    with pytest.raises(ValueError, match=words):
        concerns(algorithm, facts(PROBLEM, ALONE))
