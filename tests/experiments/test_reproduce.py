"""An experiment's folder: its stages, its numbers byte for byte, going on with it, and what is refused."""

import html
import shutil
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small import ACROSS, SMALL, section

import hypergossip as hg
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments import reproduce, stages
from hypergossip.lab.experiments.catalogue import find, names
from hypergossip.lab.experiments.comparison import Spent
from hypergossip.lab.experiments.report_building import tell
from hypergossip.lab.experiments.reproduction import Claim
from hypergossip.lab.report import html_page, markdown_page
from hypergossip.lab.report.document import Text

ASKED = {"experiment": "Q1"}


def run(experiment, folder, **settings):
    """Runs an experiment into a folder."""
    lines = []
    reproduce.prepare(folder, ASKED, False)
    records = reproduce.run(experiment, folder, False, settings, lines.append)
    return SimpleNamespace(folder=folder, records=records, lines=lines)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The small experiment, run once."""
    return run(SMALL, tmp_path_factory.mktemp("ended") / "Q1")


def test_numbers_are_those_of_solve_with_the_tuned_steps(ended):
    history = pd.read_csv(ended.folder / "history.csv")
    assert history.columns[:4].tolist() == ["case", "method", "seed", "round"]
    assert "seconds" not in history
    record = ended.records[0]
    best = record.tunings["D-SGD"].steps
    problem = hg.problems.quadratic(4, noise=0.01, heterogeneity=1.0)
    algorithm = hg.DSGD(best["upper_step"], best["lower_step"], hg.Exact())
    alone = hg.solve(algorithm, problem, hg.networks.ring(4), rounds=60, seeds=3, observe_every=15, check=False)
    kept = history[(history["case"] == "calm") & (history["method"] == "D-SGD")]
    np.testing.assert_allclose(kept["metric"], alone.history["metric"], rtol=1e-12)
    grid = {name: values[:2] for name, values in SMALL.grid.items()}
    tuned = hg.tune(algorithm, problem, hg.networks.ring(4), grid=grid, rounds=60, seeds=1)
    assert tuned.best == algorithm


def test_stated_steps_that_diverge_are_told_and_cost_nobody_else(ended):
    for record in ended.records:
        assert set(record.stated.histories) == {"D-SGD"}
        assert "no longer finite" in record.stated.failures["DIAMOND"]
        assert set(record.outcome.histories) == {"DIAMOND", "D-SGD"}
        assert not record.outcome.failures
        assert set(record.tunings["DIAMOND"].table["diverged"]) == {0, 1}
        assert record.tunings["DIAMOND"].steps["lower_step"] < 1


def test_the_same_command_gives_the_same_bytes_and_goes_on(ended, tmp_path):
    again = run(SMALL, tmp_path / "again")
    for name in ("history.csv", "tuning.csv"):
        assert (again.folder / name).read_bytes() == (ended.folder / name).read_bytes()
    # An interruption: one method of one case is gone, and the tables of the whole.
    place = again.folder / "cases" / "loud" / "methods" / "D-SGD"
    (place / "ended.toml").unlink()
    (place / "point.npz").unlink()
    (again.folder / "history.csv").unlink()
    wall = pd.read_csv(again.folder / "timing.csv")
    gone_on = run(SMALL, again.folder)
    assert (again.folder / "history.csv").read_bytes() == (ended.folder / "history.csv").read_bytes()
    assert not [line for line in gone_on.lines if "of 6 points" in line]  # no tuning was run again
    tunings = wall["stage"] == "tuning"
    pd.testing.assert_frame_equal(pd.read_csv(again.folder / "timing.csv")[tunings], wall[tunings])


def test_a_grid_that_grows_later_runs_its_new_points_alone(ended, tmp_path):
    """One more value is tried where the best is an end; a method whose best steps are others then runs again."""
    shutil.copytree(ended.folder, tmp_path / "copy")
    grown = run(replace(SMALL, tune={**SMALL.tune, "extend": 1}), tmp_path / "copy")
    before, after = (pd.read_csv(folder / "tuning.csv") for folder in (ended.folder, grown.folder))
    keys = ["case", "method", *SMALL.grid]
    both = before.merge(after, on=keys, suffixes=("", "_after"))
    assert len(both) == len(before) == 24
    np.testing.assert_array_equal(both["score"], both["score_after"])
    told = [line for line in grown.lines if "of 9 points" in line]
    assert len(after) == len(before) + 3 * len(told)
    assert told
    for record in grown.records:
        for label, tuned in record.tunings.items():
            assert record.raw["methods"][label]["upper_step"] == tuned.steps["upper_step"]
            assert tuned.table["score"].is_monotonic_increasing
    # Without it again: the points are known, and those of the grid alone are looked at.
    shrunk = run(SMALL, grown.folder)
    assert (shrunk.folder / "history.csv").read_bytes() == (ended.folder / "history.csv").read_bytes()


def test_a_folder_is_gone_on_with_only_for_the_same_and_never_taken_from_others(ended, tmp_path):
    with pytest.raises(ValueError, match="other options"):
        reproduce.prepare(ended.folder, {"experiment": "Q1", "run.seeds": 5}, False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("...")
    with pytest.raises(ValueError, match="not of an experiment"):
        reproduce.prepare(tmp_path / "mine", ASKED, True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        reproduce.prepare(tmp_path / "file", ASKED, True)
    shutil.copytree(ended.folder, tmp_path / "copy")
    (tmp_path / "copy" / "notes.txt").write_text("kept")
    reproduce.prepare(tmp_path / "copy", {"experiment": "Q1", "run.seeds": 5}, True)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"notes.txt", "reproduction.toml"}


def test_a_configuration_is_one_that_compare_takes(ended, tmp_path):
    from hypergossip.lab.build import build
    from hypergossip.lab.configuration import Source, read, validate

    raw, _ = read(ended.folder / "cases" / "calm" / "config.toml")
    experiment = build(validate(raw, Source("", "")), Source("", ""))
    assert experiment.algorithms["D-SGD"].upper_step == ended.records[0].tunings["D-SGD"].steps["upper_step"]


def test_the_next_best_steps_where_the_best_diverge_on_a_reported_seed(tmp_path):
    """The table says that an unusable point is the best; a second call does not try it again."""
    raw = SMALL.configuration(SMALL.cases[0], {"D-SGD": section("dsgd")}, False, {"run.seeds": 1})
    workplace = stages.begin(tmp_path / "case", raw, lambda _: None)
    rows = {"upper_step": [0.06, 0.06], "lower_step": [1e6, 0.12], "score": [1.0, 2.0]}
    table = pd.DataFrame({**rows, "best_seed": 0.0, "worst_seed": 0.0, "diverged": 0, "note": ""})
    ran, tunings = stages.observed(workplace, raw, {"D-SGD": stages.Tuned(table, Spent(0.0, ""), "")})
    assert tunings["D-SGD"].steps["lower_step"] == 0.12
    assert "no longer finite" in tunings["D-SGD"].fell
    assert set(ran.outcome.histories) == {"D-SGD"}
    hopeless = stages.Tuned(table.iloc[:1], Spent(0.0, ""), "")
    ran, tunings = stages.observed(workplace._replace(folder=tmp_path / "other"), raw, {"D-SGD": hopeless})
    assert set(ran.outcome.failures) == {"D-SGD"}
    assert tunings["D-SGD"].rank == 0


def test_cases_that_share_their_tuning(tmp_path):
    across = run(ACROSS, tmp_path / "Q3")
    first, second = across.records
    assert first.tunings["D-SGD"].steps == second.tunings["D-SGD"].steps
    assert set(second.timing["stage"]) == {"tuning", "runs"}
    assert set(first.timing["stage"]) == {"runs"}
    story = tell(ACROSS, across.records, False)
    assert "1 of 1 of our own bounds and expectations is met" in story.summary  # the two cases are one and the same
    assert "Measured: 1 [1, 1]." in story.summary


def test_the_report_says_what_was_run_and_where_it_differs(ended):
    story = tell(SMALL, ended.records, False)
    page = markdown_page.write(story, ended.folder).read_text()
    for words in (
        *("DIAMOND is best.", "The numbers are ours.", "Nothing differs.", "no longer finite"),
        *(
            "60 rounds, seeds 0 to 2",
            "ends after 60 rounds with M_t = ",
            disk.machine(),
            "lower_step",
            "1e+06",
            "history.csv",
            'algorithm = "dsgd"',
        ),
    ):
        assert words in page, words
    assert (ended.folder / "figure.png").stat().st_size > 10_000
    web = html_page.write(story, ended.folder).read_text()
    assert "DIAMOND is best." in web
    quick = tell(replace(SMALL, left_out=("the third",)), ended.records, True)
    told = "".join(block.markdown for block in quick.blocks if isinstance(block, Text))
    assert "`run.rounds` = 60" in told  # what was run, and not what a quick run has
    assert "Left out: the third." in told


@pytest.mark.parametrize(
    ("quick", "why"),
    [
        (True, "a quick run is too short for a verdict."),
        (False, "a verdict needs at least 5 seeds, and 3 were run."),
    ],
)
def test_a_run_that_is_too_small_for_a_verdict_gives_none_on_either_page(ended, tmp_path, quick, why):
    """Three claims, of which some are true of these runs and some are not."""
    story = tell(SMALL, ended.records, quick)
    told = ["0 of 3 of the paper's claims are judged", why, "not judged"]
    for page in (markdown_page.write(story, tmp_path), html_page.write(story, tmp_path)):
        text = html.unescape(page.read_text())
        assert all(words in text for words in told)
        assert not any(
            verdict in text for verdict in ("claims are met", "not met", "inconclusive", "is met", "| met |")
        )
        assert "<td>met" not in text
    assert story.summary.startswith("**A quick run**") == quick


def test_a_summary_counts_claims_without_a_verdict_apart(ended):
    """One of the two cases has what was measured, the other is not a number."""
    calm, loud = ended.records
    broken = {label: history.assign(metric=np.nan) for label, history in loud.outcome.histories.items()}
    many = [
        record._replace(
            outcome=record.outcome._replace(histories={label: _twice(table) for label, table in tables.items()}),
            raw={**record.raw, "run": {**record.raw["run"], "seeds": 6}},
        )
        for record, tables in ((calm, calm.outcome.histories), (loud, broken))
    ]
    claims = (Claim("DIAMOND", "D-SGD", "metric", 1e9),)
    summary = tell(replace(SMALL, claims=claims), many, False).summary
    assert "1 of 2 of the paper's claims is met (1 not judged): what was measured is not a number" in summary


def _twice(history):
    """The same seeds once more, by other numbers."""
    return pd.concat([history, history.assign(seed=history["seed"] + 3)])


def test_the_names_of_version_0_1_lead_to_the_same_experiments():
    assert [find(name).name for name in ("D1", "d4", "S2", "C1")] == [
        *("diamond-fig1", "diamond-fig4", "slam-fig2", "hypercleaning-samples")
    ]
    assert find("D1").chosen(["mnist-uneven"]) == find("diamond-fig1").chosen(["mnist-noniid"])


def test_every_experiment_of_the_catalogue_can_be_made():
    assert {"diamond-fig1", "diamond-fig2", "diamond-fig3", "diamond-fig4"} <= set(names())
    for name in names():
        experiment = find(name.lower())
        for quick in (False, True):
            for case in experiment.cases:
                raw = experiment.configuration(case, experiment.methods or experiment.stated, quick, {})
                assert tomllib.loads(hg_toml(raw)) == raw
    with pytest.raises(ValueError, match="did you mean 'diamond-fig1'"):
        find("diamond-fig11")
    with pytest.raises(ValueError, match="has no case"):
        find("diamond-fig1").chosen(["mnits"])
    assert [case.name for case in find("diamond-fig3").chosen(["15-agents-0.8"]).cases] == [
        "9-agents-0.3",
        "15-agents-0.8",
    ]


def hg_toml(raw):
    """A configuration as text, without options that are absent."""
    from hypergossip.lab.toml_text import write_toml

    return write_toml(raw)


def test_settings_lie_over_quick_over_the_experiment():
    quick = replace(SMALL, quick={"run.rounds": 20, "run.seeds": 2})
    raw = quick.configuration(SMALL.cases[0], SMALL.methods, True, {"run.seeds": 5, "run.rounds": None})
    assert (raw["run"]["rounds"], raw["run"]["seeds"]) == (20, 5)
