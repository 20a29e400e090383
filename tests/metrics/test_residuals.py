"""A row says how well it was measured: where y* or the adjoint was not reached, what depends on it is NaN."""

import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.figures.histories import KNOWN_COLUMNS
from hypergossip.metrics import Metrics
from small_problems import logistic

RING, CG = hg.networks.ring(3), hg.ConjugateGradient(10)
DATA = {"t": np.random.default_rng(0).standard_normal((3, 6, 2))}
DEPENDENT = ("stationarity", "lower_error", "metric")


def made(lower, upper=lambda x, y, b: jnp.mean((y - b["t"]) ** 2) + jnp.sum((x - 1) ** 2), **options):
    start = {"x0": np.zeros(2), "y0": np.full(2, 0.3)} | options
    return hg.Problem(upper, lower, upper_data=DATA, lower_data=DATA, **start)


def history(problem, **options):
    settings = {"rounds": 2, "observe_every": 1, "check": False} | options
    return hg.solve(hg.DSGD(0.01, 0.01, CG), problem, RING, **settings).history


KINK = lambda x, y, b: jnp.sum(jnp.abs(y - x - 1)) + 0.05 * jnp.sum(y**2)  # its minimum is at the kink
SADDLE = lambda x, y, b: y[0] ** 2 - y[1] ** 2 + jnp.sum(x * y)  # Newton's method ends in its saddle


@pytest.mark.parametrize("lower", [KINK, SADDLE], ids=["kink", "saddle"])
@pytest.mark.parametrize("share", ["upper", "both"])
def test_what_was_not_reached_is_not_a_number(lower, share):
    if share == "both":
        method = hg.Slam(0.01, 0.01, 1.0, 1.0, CG)
        with pytest.warns(hg.MeasurementWarning) as told:
            rows = hg.solve(method, made(lower, share=share), RING, rounds=2, observe_every=1, check=False).history
    else:
        with pytest.warns(hg.MeasurementWarning, match="round 0: the lower solution .* was not reached") as told:
            rows = history(made(lower))
    assert len(told) == 1
    assert rows[list(DEPENDENT)].isna().any(axis=1).all()
    assert rows["metric"].isna().all()
    assert (rows["relative_residual"] > 1e-6).all()
    assert rows[["upper_loss", "consensus_error"]].notna().all(axis=None)


def test_where_it_was_reached_the_residual_says_so():
    rows = history(logistic(), check=True)
    assert rows["relative_residual"].between(0, 1e-8).all()
    assert rows.notna().all(axis=None)


@pytest.mark.filterwarnings("ignore::hypergossip.MeasurementWarning")
def test_seeds_are_judged_apart():
    """With |y| in g, agents whose target is at zero are at the kink, in one run of two."""
    lower = lambda x, y, b: jnp.sum(jnp.abs(y)) + jnp.sum((y - x) ** 2)
    problem = made(lower)
    start = np.stack([np.full((3, 2), 0.1), np.full((3, 2), 3.0)])
    kept = []
    for x in start:
        kept.append(history(problem, rounds=0, x0=x, y0=np.ones((3, 2)))["metric"].notna().all())
    assert kept == [False, True]  # y* is 0, at the kink, and 2.5


def test_a_solution_at_zero_is_measured():
    """The gradient at zero, to which residuals are relative, is zero there."""
    rows = history(made(lambda x, y, b: jnp.sum((y - x) ** 2)), rounds=0)
    np.testing.assert_allclose(rows["lower_error"], 3 * 2 * 0.3**2, rtol=1e-12)
    assert (rows["relative_residual"] <= 1e-9).all()


def test_a_gradient_without_a_value_at_zero_is_measured():
    """A norm has no gradient at zero, and no agent is there."""
    lower = lambda x, y, b: jnp.linalg.norm(y) ** 3 + jnp.sum((y - x - 1) ** 2)
    rows = history(made(lower), rounds=0)
    s = np.roots([3 * np.sqrt(2), 2, -2]).max()  # 3 |y| y + 2 (y - 1) = 0 with both entries s
    np.testing.assert_allclose(rows["lower_error"], 3 * 2 * (s - 0.3) ** 2, rtol=1e-8)


def test_check_hypergradient_says_the_same():
    with pytest.warns(hg.MeasurementWarning, match="check_hypergradient: the lower solution was not reached"):
        found = hg.check_hypergradient(made(KINK), CG, draws=1)
    assert np.isnan(found.relative_error)
    assert found.lower_residual > 1e-6


@pytest.mark.parametrize(
    ("measure", "columns"),
    [
        (False, ["half"]),
        ((), []),
        ("upper_loss", ["upper_loss"]),
        (("upper_loss", "half"), ["upper_loss", "half"]),
        (("lower_error",), ["lower_error", "relative_residual"]),
        (("consensus_error", "stationarity"), ["stationarity", "consensus_error", "relative_residual"]),
    ],
    ids=str,
)
def test_columns_are_chosen(measure, columns):
    problem = logistic(observe={"half": lambda x, y: y["intercept"] / 2})
    chosen, whole = (history(problem, measure=value) for value in (measure, True))
    cost = ["round", "seconds", "bytes_sent", "bytes_sent_max", "samples"]
    cost += ["upper_gradients", "lower_gradients", "hessian_products", "jacobian_products"]
    assert set(chosen) == {*columns, *cost}
    for column in columns:
        np.testing.assert_allclose(chosen[column], whole[column], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("measure", ["accuracy", ("metric", "acuracy"), 3, None])
def test_a_column_that_is_not_there_is_refused(measure):
    with pytest.raises(
        ValueError, match=r"measure: .* is not measured here; give True, False, or names among .*metric"
    ):
        history(logistic(), measure=measure)


def test_a_tolerance_needs_the_metric():
    with pytest.raises(ValueError, match="the metric, which measure omits"):
        history(logistic(), measure=False, stop=1e-3)


def test_no_column_of_ours_is_taken_for_an_observation():
    """A report draws and counts every other column as the problem's own."""
    assert set(Metrics._fields) <= set(KNOWN_COLUMNS)
    assert set(history(logistic(), rounds=0)) <= set(KNOWN_COLUMNS)
