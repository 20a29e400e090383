"""The sinusoids' benchmark: agents alone are the network's own agents, and the figure shows what the table says."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from studies.sinusoids import ERRORS, FOLDER, LOOKS, SETTINGS, Fit, by_itself, draw, fitted, typical

from hypergossip.figures import style
from hypergossip.problems import sinusoids
from hypergossip.problems.sinusoids import adaptation, held_out

SMALL = {"tasks": 2, "shots": 3, "widths": (4,), "held_out_tasks": 5}


def test_an_agent_alone_has_its_own_tasks_and_no_others() -> None:
    whole = sinusoids(3, heterogeneity="phase", **SMALL)
    for i, part in enumerate(by_itself(whole)):
        assert part.agents == 1
        assert list(part.observe) == list(ERRORS)
        jax.tree.map(np.testing.assert_array_equal, part.agent(0), whole.agent(i))
        np.testing.assert_array_equal(part.x0, whole.x0)


def test_a_fit_is_the_adapted_network_on_the_task_of_the_median_error() -> None:
    setting = SETTINGS["maml"]
    problem = sinusoids(2, **setting.options, **SMALL)
    x = problem.upper.unravel(problem.x0)
    place = typical(setting, x, SMALL, seed=0)
    adapting = adaptation(**setting.options)
    _, support, query = held_out(SMALL["held_out_tasks"], SMALL["shots"], 0)
    of = lambda shots, k: {name: jnp.asarray(leaf[:, k]) for name, leaf in shots.items()}
    errors = [
        adapting.error(adapting.displaced(x, adapting.adapt(x, of(support, k))), of(query, k))
        for k in range(SMALL["held_out_tasks"])
    ]
    assert np.argsort(errors)[2] == place
    fit = fitted(setting, x, SMALL, seed=0, place=place)
    assert fit.shots.shape == (2, SMALL["shots"])
    found = np.interp(fit.shots[0], fit.inputs, fit.truth)
    np.testing.assert_allclose(found, fit.shots[1], atol=0.01)
    assert np.abs(fit.after - fit.before).max() > 1e-3


def test_the_figure_shows_medians_and_hides_no_failure() -> None:
    table = pd.read_csv(FOLDER / "sinusoids.csv")
    assert tuple(sorted(set(table["round"]))) == LOOKS
    failed = (table["form"] == "anil") & (table["seed"] == 1) & (table["round"] > 1000)
    table.loc[failed, list(ERRORS)] = np.nan
    line = np.linspace(-1, 1, 5)
    fit = Fit(line, line, line, line, np.zeros((2, 3)))
    with style.look():
        figure = draw(table, dict.fromkeys(("maml", "anil", "imaml"), fit))
    after, before, *fits = figure.axes
    assert len(fits) == 3
    for axes, column in ((after, ERRORS[0]), (before, ERRORS[1])):
        drawn = {curve.get_label(): np.asarray(curve.get_ydata()) for curve in axes.get_lines()}
        for name, setting in SETTINGS.items():
            medians = table[table["form"] == name].groupby("round")[column].median().to_numpy()
            shown = drawn[setting.title]
            ended = np.asarray(LOOKS) > 1000 if name == "anil" else np.zeros(len(LOOKS), bool)
            assert np.isnan(shown[ended]).all()
            np.testing.assert_allclose(shown[~ended], medians[~ended])
