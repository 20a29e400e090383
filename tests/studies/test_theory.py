"""Every check of the theory runs, writes its table and its figure, and its closed forms are those of other routes."""

import importlib

import jax
import numpy as np
import pandas as pd
import pytest
from studies.theory import NAMES, common, convergence, heterogeneity, series
from studies.theory.__main__ import run

import hypergossip as hg
from hypergossip.engines import Job
from hypergossip.problems import quadratic
from hypergossip.problems.quadratic import solution as quadratic_solution

CLAIMS = ("series", "consensus", "heterogeneity", "convergence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every claim, with its `quick` size."""
    folder = tmp_path_factory.mktemp("theory")
    for name in CLAIMS:
        run(name, folder, quick=True)
    return folder


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_leaves_a_table_and_a_figure(folder, name):
    assert len(pd.read_csv(folder / f"{name}.csv")) > 1
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_names_are_the_files():
    for name in NAMES:
        claim = importlib.import_module(f"studies.theory.{name}")
        assert all(callable(getattr(claim, part)) for part in ("measure", "draw", "report"))


def test_more_rounds_have_a_smaller_mean_metric(folder):
    ends = pd.read_csv(folder / "convergence.csv").groupby("T")["metric"].mean()
    assert ends.iloc[-1] < ends.iloc[0]


def test_the_series_rate_is_theorys(folder):
    table = pd.read_csv(folder / "series.csv")
    for factor, _, rate in series.rates(table).values():
        np.testing.assert_allclose(factor, rate, rtol=2e-3)
    assert (table["bias"] < table["bound"]).all()
    drawn = table.dropna()
    assert (np.abs(drawn["monte_carlo"] - drawn["bias"]) < 5 * drawn["standard_error"]).all()


def test_disagreement_shrinks_as_expected(folder):
    table = pd.read_csv(folder / "consensus.csv")
    assert set(table["method"]) == {"DIAMOND", "SLAM"}
    np.testing.assert_allclose(table["measured"], table["expected"], atol=2e-3)
    slam = table[table["method"] == "SLAM"]
    np.testing.assert_allclose(slam["expected"], np.sqrt(1 - (1 - slam["lambda"]) / 2), rtol=1e-5)


def test_only_plain_gossip_and_the_surrogate_stop_before_the_optimum(folder):
    table = pd.read_csv(folder / "heterogeneity.csv")
    most = table[table["heterogeneity"] == table["heterogeneity"].max()].set_index("method")
    biased = most[most["theory"].notna()]
    assert set(biased.index) == {"D-SGD", "SLAM"}
    assert biased["distance"].min() > 0.1
    np.testing.assert_allclose(biased["distance"], biased["theory"], rtol=1e-4)
    assert most.drop(biased.index)["distance"].max() < 1e-6


def states(algorithm, problem, network, seed, rounds, x=None, y=None):
    """The engine's states before each round and after the last, host arrays (agents, ...)."""
    session = hg.Simulated().open(Job(algorithm, problem, network, jax.random.key(seed)[None]))
    everywhere = lambda v: np.broadcast_to(v, (1, problem.agents, v.shape[-1]))
    x, y = (everywhere(start if v is None else v) for start, v in ((problem.x0, x), (problem.y0, y)))
    state = session.start(x, y)
    found = [state]
    for t in range(rounds):
        state, _ = session.advance(state, t, t + 1)
        found.append(state)
    return [jax.tree.map(lambda leaf: np.asarray(leaf[0]), state) for state in found]


def test_plain_gossip_has_its_fixed_point_where_it_should():
    network = hg.networks.ring(heterogeneity.AGENTS)
    problem = quadratic(heterogeneity.AGENTS, seed=1)
    o = jax.tree.map(np.asarray, problem.oracles)
    x = heterogeneity.plain_gossip_point(problem, network, heterogeneity.ALPHA)
    y = np.linalg.solve(o.H, (np.einsum("nqp,np->nq", o.B, x) + o.c)[..., None])[..., 0]
    before, after = states(heterogeneity.METHODS["upper"]["D-SGD"], problem, network, 0, 1, x, y)
    np.testing.assert_array_equal(before.x, x)
    np.testing.assert_allclose(after.x, x, atol=1e-12)
    np.testing.assert_allclose(after.y, y, atol=1e-12)


def test_means_are_those_of_every_rounds_state():
    """One compiled sweep with its sums inside, against the engine round by round and eq. 11 agent by agent."""
    problem, network = quadratic(4, seed=2, noise=0.3), hg.networks.ring(4)
    exact, o = quadratic_solution(problem), jax.tree.map(np.asarray, problem.oracles)
    algorithms = [convergence.method("D-SGD", scale, 0.5, hg.Exact()) for scale in (0.1, 0.05)]
    swept = jax.tree.map(lambda *leaves: np.array(leaves), *algorithms)
    ours = common.means(swept, problem, network, [3, 6], [5, 6], common.quadratic_metric(problem), swept=True)
    for own, algorithm, seed in zip(ours, algorithms, (5, 6), strict=True):
        rows = []
        for s in states(algorithm, problem, network, seed, 6)[:-1]:
            centre = s.x.mean(axis=0)
            lower = sum(np.sum((np.linalg.solve(o.H[i], o.B[i] @ s.x[i] + o.c[i]) - s.y[i]) ** 2) for i in range(4))
            rows.append([np.sum(exact.hypergradient(centre) ** 2), np.sum((s.x - centre) ** 2), lower])
        for mean, horizon in zip(own, (3, 6), strict=True):
            np.testing.assert_allclose(mean, np.mean(rows[:horizon], axis=0), rtol=1e-10, atol=1e-25)


def synthetic(slopes):
    """A table as `convergence.measure` makes it, of pure power laws."""
    T = np.array([64, 256, 1024, 4096])
    frames = [
        pd.DataFrame({"method": name, "power": 1 / 3, "scale": 0.1, "tuned": tuned, "seed": seed, "T": T})
        .assign(metric=factor * T**slope)
        .assign(**dict.fromkeys(convergence.PARTS, T**slope / 3))
        for (name, tuned), slope in slopes.items()
        for seed, factor in ((0, 0.5), (1, 1.5))
    ]
    return pd.concat(frames, ignore_index=True)


def test_the_slopes_that_are_reported_are_those_of_the_table():
    table = synthetic({("DIAMOND", True): -2 / 3, ("D-SGD", False): -1 / 3})
    said = dict(convergence.report(table))
    assert "slope -0.667" in said["DIAMOND, c = 0.1, t^(-1/3), own best"]
    assert "slope -0.333" in said["D-SGD, c = 0.1, t^(-1/3), as DIAMOND"]
    assert "1 T^-0.67 within 0 %" in said["DIAMOND, c = 0.1, t^(-1/3), own best"]
    labels = [text.get_text() for text in convergence.draw(table).legends[0].get_texts()]
    assert labels == ["DIAMOND, $t^{-1/3}$: $-0.67$", "D-SGD, $t^{-1/3}$: $-0.33$"]
