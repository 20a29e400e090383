"""The Neumann series: its terms, its depths, its samples, its bias, and where it diverges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.running.preflight import facts
from small_problems import dense, logistic, point, surprise


def series(fx, fy, H, J, terms, lipschitz):
    """Eq. 4 with the inverse replaced by the K-term Neumann series."""
    factor = np.eye(len(fy)) - H / lipschitz
    total = sum(np.linalg.matrix_power(factor, k) for k in range(terms))
    return fx - J @ (total / lipschitz) @ fy


@pytest.mark.parametrize("terms", [1, 2, 7])
def test_truncated_neumann_is_the_series(agent, points, terms):
    expected = series(*dense(agent, *points), terms, 4.5)
    ours, cost = jax.jit(lambda: hg.TruncatedNeumann(terms, 4.5)(agent, *points, jax.random.key(0)))()
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert cost == Cost(samples=2, upper_gradients=1, hessian_products=terms - 1, jacobian_products=1)


@pytest.mark.parametrize("shared_batch", [False, True])
def test_neumanns_mean_over_every_depth_is_the_truncated_series(agent, points, shared_batch):
    terms = 6
    neumann, truncated = hg.Neumann(terms, 4.5, shared_batch), hg.TruncatedNeumann(terms, 4.5)
    keys = jax.random.split(jax.random.key(2), 80)

    @jax.jit
    def draws():
        return jax.vmap(lambda key: neumann(agent, *points, key))(keys)

    estimates, costs = jax.tree.map(np.asarray, draws())
    depths = costs.hessian_products
    assert set(depths) == set(range(terms))
    fx, fy, H, J = dense(agent, *points)
    by_depth = []
    for k in range(terms):
        own = estimates[depths == k]
        np.testing.assert_allclose(own, np.broadcast_to(own[0], own.shape), rtol=1e-12)  # no sample, so only the depth
        power = np.linalg.matrix_power(np.eye(5) - H / 4.5, k)
        np.testing.assert_allclose(own[0], fx - terms / 4.5 * J @ power @ fy, rtol=1e-11)  # eq. 5
        by_depth.append(own[0])
    mean, _ = truncated(agent, *points, jax.random.key(0))
    np.testing.assert_allclose(np.mean(by_depth, axis=0), mean, rtol=1e-11)


def test_mini_batch_neumann_is_the_series_with_a_mean_hessian_a_factor():
    """By hand with dense matrices of the very rows: factor j has ceil(3 / 2^(j-1)) batches, no two alike."""
    problem = logistic(batch_size=4)
    agent, (x, y), key = problem.agent(1), point(problem), jax.random.key(6)
    estimate, cost = jax.jit(lambda: hg.MiniBatchNeumann(4, 6.0, 3, 0.5)(agent, x, y, key))()
    upper_key, root = jax.random.split(key)
    fx, fy = agent.upper_gradients(x, y, upper_key)
    unit, total, power = jnp.eye(y.size), np.asarray(fy), np.asarray(fy)
    for j, batches in ((1, 3), (2, 2), (3, 1)):
        keys = [jax.random.fold_in(jax.random.fold_in(root, j), b) for b in range(batches)]
        H = np.mean([jax.vmap(agent.hessian_product(x, y, one))(unit) for one in keys], axis=0)
        power = power - H @ power / 6.0
        total = total + power
    J = jax.vmap(agent.jacobian_product(x, y, jax.random.fold_in(root, 0)))(unit).T
    np.testing.assert_allclose(estimate, fx - J @ total / 6.0, rtol=1e-12)
    assert cost == Cost(samples=(1 + 1 + 6) * 4, upper_gradients=1, hessian_products=6, jacobian_products=1)


def test_the_depth_is_uniform(agent, points):
    neumann = hg.Neumann(8, 4.5)
    depth = lambda key: neumann(agent, *points, key)[1].hessian_products
    depths = jax.jit(jax.vmap(depth))(jax.random.split(jax.random.key(0), 4000))
    assert surprise(np.bincount(depths, minlength=8), 500) < 5


def test_the_bias_decays_at_the_rate_of_lemma_3(agent, points):
    """|E - exact| = C (1 - mu / L)^K: the slope of its logarithm, where the slowest factor has taken over."""
    fx, fy, H, J = dense(agent, *points)
    lipschitz, mu = 6.0, np.linalg.eigvalsh(H)[0]
    exact = fx - J @ np.linalg.solve(H, fy)
    depths = np.arange(40, 80, 8)
    estimate = jax.jit(
        lambda: [hg.TruncatedNeumann(int(K), lipschitz)(agent, *points, jax.random.key(0))[0] for K in depths]
    )
    bias = [np.linalg.norm(value - exact) for value in estimate()]
    slope = np.polyfit(depths, np.log(bias), 1)[0]
    assert slope == pytest.approx(np.log(1 - mu / lipschitz), rel=0.02)
    bound = np.linalg.norm(J, 2) * np.linalg.norm(fy) / mu * (1 - mu / lipschitz) ** depths
    assert (np.asarray(bias) <= bound).all()


class Spy:
    """Oracles that note the keys they are asked with; second derivatives are multiples of the identity."""

    def __init__(self):
        self.seen = {"upper": [], "hessian": [], "jacobian": []}

    def _note(self, name, key):
        self.seen[name].append(tuple(np.asarray(jax.random.key_data(key)).ravel().tolist()))

    def upper_gradients(self, x, y, key):
        self._note("upper", key)
        return x, y

    def hessian_product(self, x, y, key):
        self._note("hessian", key)
        return lambda v: 0.5 * v

    def jacobian_product(self, x, y, key):
        self._note("jacobian", key)
        return lambda v: v

    def samples(self, upper=0, lower=0):
        return upper + lower

    def full(self): ...
    def upper_loss(self, x, y, key): ...
    def lower_gradient(self, x, y, key): ...
    def project(self, x): ...


def test_eq_5_takes_independent_samples_and_a_shared_batch_takes_two():
    point = jnp.ones(2)
    with jax.disable_jit():
        depths = set()
        for seed in range(6):
            key, spy = jax.random.key(seed), Spy()
            _, cost = hg.Neumann(5, 1.0)(spy, point, point, key)
            everything = [*spy.seen["upper"], *spy.seen["hessian"], *spy.seen["jacobian"]]
            assert len(spy.seen["hessian"]) == int(cost.hessian_products)
            assert len(set(everything)) == len(everything) == int(cost.samples)
            depths.add(len(everything))

            spy = Spy()
            _, cost = hg.Neumann(5, 1.0, shared_batch=True)(spy, point, point, key)
            assert len(set(spy.seen["hessian"] + spy.seen["jacobian"])) == 1
            assert set(spy.seen["upper"]).isdisjoint(spy.seen["jacobian"])
            assert int(cost.samples) == 2
        assert len(depths) > 2


def facts_of(problem, agents=3):
    return facts(problem, hg.networks.ring(agents))


@pytest.mark.parametrize(("batches", "shrink"), [(0, 1.0), (2, 0.0), (2, 1.5)])
def test_batches_that_make_no_sense_are_refused(batches, shrink):
    with pytest.raises(ValueError, match="batches >= 1"):
        hg.MiniBatchNeumann(3, 5.0, batches, shrink).check(facts_of(hg.problems.quadratic(3, 2, 2)))


@pytest.mark.parametrize("kind", [hg.Neumann, hg.TruncatedNeumann, hg.MiniBatchNeumann])
def test_a_lipschitz_constant_too_small_is_seen(kind):
    problem = hg.problems.quadratic(3, 2, 2, seed=0)
    top = max(np.linalg.eigvalsh(H)[-1] for H in np.asarray(problem.oracles.H))
    known = facts_of(problem)
    assert known.lower_curvature[1] == pytest.approx(top, rel=1e-3)
    assert kind(5, 1.01 * top).check(known) == []
    (warning,) = kind(5, 0.8 * top).check(known)
    assert "does not bound" in warning
    with pytest.raises(ValueError, match="diverges") as error:
        kind(5, 0.49 * top).check(known)
    assert f"at least {top:.3g}" in str(error.value)


def test_the_series_diverges_where_check_says_so(agent, points):
    """At lipschitz = top / 2 the factor's radius is 1: a little less diverges, a little more does not."""
    _, _, H, _ = dense(agent, *points)
    top = np.linalg.eigvalsh(H)[-1]
    size = lambda lipschitz: float(
        jnp.linalg.norm(hg.TruncatedNeumann(4000, lipschitz)(agent, *points, jax.random.key(0))[0])
    )
    assert size(0.495 * top) > 1e6
    assert size(0.505 * top) < 1e3


def test_the_largest_batch_decides_for_lipschitz():
    """Eq. 5 needs a bound for every sample: a heavy row hides in the mean, but not in a batch of some agent."""
    heavy = np.array([[0.1, 6.0]]).repeat(12, 0)
    problem = hg.Problem(
        lambda x, y, batch: jnp.sum(x**2) + jnp.sum(y**2),
        lambda x, y, batch: 0.5 * (0.5 + jnp.mean(batch**2)) * jnp.sum((y - x) ** 2),
        upper_data=heavy,
        lower_data=heavy,
        x0=np.ones(1),
        y0=np.ones(1),
        batch_size=1,
    )
    smallest, largest = facts_of(problem, 12).lower_curvature
    assert largest == pytest.approx(0.5 + 36, rel=1e-9)
    assert smallest == pytest.approx(0.5 + (36 + 0.01) / 2, rel=1e-9)
