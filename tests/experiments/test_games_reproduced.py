"""An experiment on a game: equal environment steps for all methods, differences of returns, a report without M_t."""

import tomllib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small import GAME

import hypergossip as hg
from hypergossip.lab.configuration import Source, read, validate
from hypergossip.lab.experiments import reproduce
from hypergossip.lab.experiments.catalogue import find
from hypergossip.lab.experiments.episodes import pictures
from hypergossip.lab.experiments.report_building import build_report
from hypergossip.lab.experiments.reproduction import Claim
from hypergossip.lab.experiments.verdicts import MET, throughout, verdicts
from hypergossip.lab.report import markdown_page
from hypergossip.lab.report.document import Curves, Table, Text

BUDGET = 8 * 2 * 25  # rounds, samples per round, steps per episode


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The small game, run once."""
    folder, lines = tmp_path_factory.mktemp("finished") / "G1", []
    reproduce.prepare(folder, {"experiment": "G1"}, False)
    return SimpleNamespace(folder=folder, records=reproduce.run(GAME, folder, False, {}, lines.append), lines=lines)


def test_all_methods_play_and_are_tuned_with_the_same_number_of_steps(finished):
    history = pd.read_csv(finished.folder / "history.csv")
    assert "metric" not in history
    for (method, _), rows in history.groupby(["method", "seed"]):
        rounds = GAME.rounds_of(method, 8)
        assert rows["round"].tolist() == list(range(0, rounds + 1, 2))
        assert rows["samples"].iloc[-1] == BUDGET
        np.testing.assert_array_equal(rows["exchanges"], rows["round"] * {"DAC": 1, "MDAC": 3}[method])
    timing = pd.read_csv(finished.folder / "timing.csv").set_index(["stage", "method"])["rounds"]
    for stage in ("tuning", "runs"):
        assert timing[stage].to_dict() == {"DAC": 8, "MDAC": 4}


def test_the_returns_are_those_of_solve_with_the_tuned_steps(finished):
    record = finished.records[0]
    problem = hg.problems.actor_critic.cooperative_navigation(
        2, rewards="assigned", widths=[4], reward_model=False, episodes=1, test_episodes=3
    )
    algorithm = hg.MDAC(record.tunings["MDAC"].steps["upper_step"], 0.1, hg.Direct(), inner_steps=3)
    options = {"rounds": 4, "seeds": 3, "observe_every": 2, "check": False, "measure": "return"}
    alone = hg.solve(algorithm, problem, hg.networks.complete(2), **options)
    np.testing.assert_allclose(record.outcome.histories["MDAC"]["return"], alone.history["return"], rtol=1e-9)
    assert record.tunings["MDAC"].table["score"].is_monotonic_decreasing  # the largest return first


def test_the_configuration_has_the_budget_in_a_form_for_compare(finished):
    raw, _ = read(finished.folder / "cases" / "pair" / "config.toml")
    run = validate(raw, Source("", "")).run
    assert run.rounds == 8
    assert raw["run"]["stop"] == {"samples": BUDGET}


def test_rounds_after_which_the_samples_would_differ_are_refused():
    with pytest.raises(ValueError, match="take a multiple of 4, such as 8 or 12"):
        GAME.configuration(GAME.cases[0], GAME.methods, False, {"run.rounds": 10})
    with pytest.raises(ValueError, match="multiple of 550, such as 550"):
        find("slam-fig1").configuration(find("slam-fig1").cases[0], {}, False, {"run.rounds": 50})
    for name in ("slam-fig1", "slam-fig2"):
        experiment = find(name)
        for quick in (False, True):
            run = experiment.configuration(experiment.cases[0], experiment.methods, quick, {})["run"]
            for label, draws in experiment.draws.items():
                rounds = experiment.rounds_of(label, run["rounds"])
                assert rounds * draws == run["rounds"] * 2
                assert rounds % run["observe_every"] == 0


def test_the_report_has_steps_and_rounds_as_axes_and_measures_differences(finished):
    report = build_report(GAME, finished.records, False)
    curves = [block for block in report.blocks if isinstance(block, Curves)]
    assert [(panel.column, panel.against) for panel in curves[0].panels] == [
        ("return", "samples"),
        ("return", "exchanges"),
    ]
    assert [(panel.column, panel.against) for panel in curves[1].panels] == [("lower_consensus_error", "exchanges")]
    frames = [block.frame for block in report.blocks if isinstance(block, Table)]
    assert "measured difference" in frames[0]
    text = " ".join(block.markdown for block in report.blocks if isinstance(block, Text))
    assert f"until it had played {BUDGET} environment steps (8 rounds of DAC, 4 rounds of MDAC)" in text
    assert "over as many rounds. The score of a grid point is its return" in text
    page = markdown_page.write(report, finished.folder).read_text()
    assert "M_t" not in page
    assert "Differences of medians over 3 seeds" in page
    assert tomllib.loads(page.split("```toml\n")[1].split("```")[0])["run"]["stop"] == {"samples": BUDGET}
    assert (finished.folder / "figure.png").stat().st_size > 10_000


def test_an_episode_is_drawn_for_the_report(finished):
    found = pictures(finished.folder, finished.records)
    assert set(found) == {"pair"}
    assert (finished.folder / found["pair"].path).stat().st_size > 10_000
    assert (finished.folder / found["pair"].path).with_suffix(".gif").is_file()
    report = build_report(GAME, finished.records, False, found)
    assert found["pair"] in report.blocks
    assert "the final policies of DAC (seed 0)" in found["pair"].caption


def frame(values):
    """A history with these returns, (rounds, seeds)."""
    values = np.asarray(values, float)
    rounds, seeds = np.indices(values.shape)
    return pd.DataFrame({"round": rounds.ravel(), "seed": seeds.ravel(), "return": values.ravel()})


def test_a_difference_of_returns_of_either_sign():
    rows = np.arange(11.0)[:, None] * np.ones(5)
    good, bad = frame(rows - 12), frame(rows - 15)  # 3 apart in every round; the last values are -2 and -5
    one, other, whole, beyond, below = (
        Claim("a", "b", "return", 0.0, largest=True, difference=True),
        Claim("b", "a", "return", 0.0, largest=True, difference=True),
        Claim("a", "b", "return", 0.0, largest=True, difference=True, whole=True),
        Claim("a", "b", "return", 4.0, largest=True, difference=True),
        Claim("b", "a", "return", -3.0, largest=True, difference=True),
    )
    experiment = replace(GAME, claims=(one, other, whole, beyond, below))
    measured = verdicts(experiment, {"pair": {"a": good, "b": bad}})
    assert [(round(each.ratio, 9), each.verdict == MET) for each in measured] == [
        *((3, True), (-3, False), (3, True), (3, False), (-3, True)),
    ]
    assert {each.measure for each in measured} == {"difference"}
    np.testing.assert_allclose([(each.low, each.high) for each in measured[:2]], [(3, 3), (-3, -3)])
    assert measured[0].claim == "a's mean return over the last fifth of the rounds is no smaller than b's"
    assert measured[2].claim == "a's mean return over the whole run is no smaller than b's"
    assert "at least 4 above b's" in measured[3].claim
    assert "at least 3 below a's" in measured[4].claim
    np.testing.assert_allclose(throughout(good, "return"), -7)
