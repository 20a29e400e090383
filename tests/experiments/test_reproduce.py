"""The folder of an experiment: its stages, its numbers byte for byte, how it resumes, and what is refused."""

import html
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small import ACROSS, SMALL, section

import hypergossip as hg
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Source, read, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments import reproduce, stages
from hypergossip.lab.experiments.comparison import WallTime
from hypergossip.lab.experiments.report_building import build_report
from hypergossip.lab.experiments.reproduction import Claim
from hypergossip.lab.report import html_page, markdown_page
from hypergossip.lab.report.document import Text

REQUEST = {"experiment": "Q1"}


def run(experiment, folder, **settings):
    """Runs an experiment into a folder."""
    lines = []
    reproduce.prepare(folder, REQUEST, False)
    records = reproduce.run(experiment, folder, False, settings, lines.append)
    return SimpleNamespace(folder=folder, records=records, lines=lines)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The small experiment, run once."""
    return run(SMALL, tmp_path_factory.mktemp("finished") / "Q1")


def test_numbers_are_those_of_solve_with_the_tuned_steps(finished):
    history = pd.read_csv(finished.folder / "history.csv")
    assert history.columns[:4].tolist() == ["case", "method", "seed", "round"]
    assert "seconds" not in history
    record = finished.records[0]
    best = record.tunings["D-SGD"].steps
    problem = hg.problems.quadratic(4, noise=0.01, heterogeneity=1.0)
    algorithm = hg.DSGD(best["upper_step"], best["lower_step"], hg.Exact())
    alone = hg.solve(algorithm, problem, hg.networks.ring(4), rounds=60, seeds=3, observe_every=15, check=False)
    kept = history[(history["case"] == "calm") & (history["method"] == "D-SGD")]
    np.testing.assert_allclose(kept["metric"], alone.history["metric"], rtol=1e-12)
    grid = {name: values[:2] for name, values in SMALL.grid.items()}
    tuned = hg.tune(algorithm, problem, hg.networks.ring(4), grid=grid, rounds=60, seeds=1)
    assert tuned.best == algorithm
    raw, _ = read(finished.folder / "cases" / "calm" / "config.toml")
    assert build(validate(raw, Source("", "")), Source("", "")).algorithms["D-SGD"] == algorithm  # valid for compare


def test_step_sizes_of_the_paper_that_diverge_are_reported_and_do_not_stop_other_methods(finished):
    for record in finished.records:
        assert set(record.stated.histories) == {"D-SGD"}
        assert "no longer finite" in record.stated.failures["DIAMOND"]
        assert set(record.outcome.histories) == {"DIAMOND", "D-SGD"}
        assert not record.outcome.failures
        assert set(record.tunings["DIAMOND"].table["diverged"]) == {0, 1}
        assert record.tunings["DIAMOND"].steps["lower_step"] < 1


def test_the_same_command_gives_the_same_bytes_and_resumes(finished, tmp_path):
    again = run(SMALL, tmp_path / "again")
    for name in ("history.csv", "tuning.csv"):
        assert (again.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    # As after an interruption: one method of one case is missing, and so is a table of the experiment.
    place = again.folder / "cases" / "loud" / "methods" / "D-SGD"
    (place / "ended.toml").unlink()
    (place / "point.npz").unlink()
    (again.folder / "history.csv").unlink()
    wall = pd.read_csv(again.folder / "timing.csv")
    resumed = run(SMALL, again.folder)
    assert (again.folder / "history.csv").read_bytes() == (finished.folder / "history.csv").read_bytes()
    assert not [line for line in resumed.lines if "of 6 points" in line]  # no tuning was run again
    tunings = wall["stage"] == "tuning"
    pd.testing.assert_frame_equal(pd.read_csv(again.folder / "timing.csv")[tunings], wall[tunings])


def test_an_extended_grid_runs_only_its_new_points(finished, tmp_path):
    """One more value is tried where the best point is at an end; a method with a new best point runs again."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    grown = run(replace(SMALL, tune={**SMALL.tune, "extend": 1}), tmp_path / "copy")
    before, after = (pd.read_csv(folder / "tuning.csv") for folder in (finished.folder, grown.folder))
    keys = ["case", "method", *SMALL.grid]
    both = before.merge(after, on=keys, suffixes=("", "_after"))
    assert len(both) == len(before) == 24
    np.testing.assert_array_equal(both["score"], both["score_after"])
    tuned_again = [line for line in grown.lines if "of 9 points" in line]
    assert len(after) == len(before) + 3 * len(tuned_again)
    assert tuned_again
    for record in grown.records:
        for label, tuned in record.tunings.items():
            assert record.raw["methods"][label]["upper_step"] == tuned.steps["upper_step"]
            assert tuned.table["score"].is_monotonic_increasing
    # With the smaller grid again, all points are known, and only those of the grid count.
    shrunk = run(SMALL, grown.folder)
    assert (shrunk.folder / "history.csv").read_bytes() == (finished.folder / "history.csv").read_bytes()


def test_a_folder_is_resumed_only_with_the_same_options_and_other_files_are_kept(finished, tmp_path):
    with pytest.raises(ValueError, match="other options"):
        reproduce.prepare(finished.folder, {"experiment": "Q1", "run.seeds": 5}, False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("...")
    with pytest.raises(ValueError, match="not from an experiment"):
        reproduce.prepare(tmp_path / "mine", REQUEST, True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        reproduce.prepare(tmp_path / "file", REQUEST, True)
    shutil.copytree(finished.folder, tmp_path / "copy")
    (tmp_path / "copy" / "notes.txt").write_text("kept")
    reproduce.prepare(tmp_path / "copy", {"experiment": "Q1", "run.seeds": 5}, True)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"notes.txt", "reproduction.toml"}


def test_the_next_best_point_is_used_if_the_best_diverges_on_a_reported_seed(tmp_path):
    """The table has an unusable point as the best; a second call does not try it again."""
    raw = SMALL.configuration(SMALL.cases[0], {"D-SGD": section("dsgd")}, False, {"run.seeds": 1})
    case = stages.begin(tmp_path / "case", raw, lambda _: None)
    rows = {"upper_step": [0.06, 0.06], "lower_step": [1e6, 0.12], "score": [1.0, 2.0]}
    table = pd.DataFrame({**rows, "best_seed": 0.0, "worst_seed": 0.0, "diverged": 0, "note": ""})
    runs, tunings = stages.observed(case, raw, {"D-SGD": stages.Tuned(table, WallTime(0.0, ""), "")})
    assert tunings["D-SGD"].steps["lower_step"] == 0.12
    assert "no longer finite" in tunings["D-SGD"].failure
    assert set(runs.outcome.histories) == {"D-SGD"}
    without_alternative = stages.Tuned(table.iloc[:1], WallTime(0.0, ""), "")
    runs, tunings = stages.observed(case._replace(folder=tmp_path / "other"), raw, {"D-SGD": without_alternative})
    assert set(runs.outcome.failures) == {"D-SGD"}
    assert tunings["D-SGD"].rank == 0


def test_where_stationarity_is_tuned_a_point_with_a_growing_metric_is_not_used(tmp_path):
    """Its y diverges slowly, while the mean x stays where it is."""
    raw = SMALL.configuration(SMALL.cases[0], {"D-SGD": section("dsgd")}, False, {"run.seeds": 1})
    case = stages.begin(tmp_path / "case", raw, lambda _: None)
    rows = {"upper_step": [1e-6, 0.06], "lower_step": [0.8, 0.12], "score": [1.0, 2.0]}
    table = pd.DataFrame({**rows, "best_seed": 0.0, "worst_seed": 0.0, "diverged": 0, "note": ""})
    tuned = {"D-SGD": stages.Tuned(table, WallTime(0.0, ""), "")}
    _, used = stages.observed(case, {**raw, "tune": {**raw["tune"], "score": "stationarity"}}, tuned)
    assert used["D-SGD"].rank == 1
    assert "so y is not a solution" in used["D-SGD"].failure
    ended = case.folder / "methods" / "D-SGD" / "ended.toml"
    when = ended.stat().st_mtime_ns
    _, resumed = stages.observed(case, {**raw, "tune": {**raw["tune"], "score": "stationarity"}}, tuned)
    assert (resumed["D-SGD"].rank, resumed["D-SGD"].failure) == (1, used["D-SGD"].failure)
    assert ended.stat().st_mtime_ns == when
    longer = pd.concat([pd.DataFrame({**table.iloc[1], "lower_step": 0.1, "score": 0.5}, index=[0]), table])
    grown = {"D-SGD": tuned["D-SGD"]._replace(table=longer.reset_index(drop=True))}
    _, changed = stages.observed(case, {**raw, "tune": {**raw["tune"], "score": "stationarity"}}, grown)
    assert changed["D-SGD"].steps["lower_step"] == 0.1  # the runs with other step sizes are not in its way
    _, used = stages.observed(case._replace(folder=tmp_path / "by M_t"), raw, tuned)
    assert used["D-SGD"].rank == 0


def test_cases_that_share_their_tuning(tmp_path):
    across = run(ACROSS, tmp_path / "Q3")
    first, second = across.records
    assert first.tunings["D-SGD"].steps == second.tunings["D-SGD"].steps
    assert set(second.timing["stage"]) == {"tuning", "runs"}
    assert set(first.timing["stage"]) == {"runs"}
    report = build_report(ACROSS, across.records, False)
    assert "1 of 1 of our own bounds and expectations is met" in report.summary  # the two cases are identical
    assert "Measured ratio: 1 [1, 1]." in report.summary


def test_the_report_says_what_was_run_and_the_deviations(finished):
    report = build_report(SMALL, finished.records, False)
    page = markdown_page.write(report, finished.folder).read_text()
    for text in (
        *("DIAMOND is best.", "The numbers are ours.", "Nothing differs.", "no longer finite", disk.machine()),
        *("ran for 60 rounds, with seeds 0 to 2", "ends after 60 rounds with M_t = "),
        *("lower_step", "1e+06", "history.csv", 'algorithm = "dsgd"'),
    ):
        assert text in page, text
    assert (finished.folder / "figure.png").stat().st_size > 10_000
    web = html_page.write(report, finished.folder).read_text()
    assert "DIAMOND is best." in web
    quick = build_report(replace(SMALL, left_out=("the third",)), finished.records, True)
    text = "".join(block.markdown for block in quick.blocks if isinstance(block, Text))
    assert "`run.rounds` = 60" in text  # what was run, not the default of a quick run
    assert "These cases were left out: the third." in text


@pytest.mark.parametrize(
    ("quick", "why"),
    [
        (True, "a quick run is too short for a verdict."),
        (False, "a verdict needs at least 5 seeds, and 3 were run."),
    ],
)
def test_a_run_that_is_too_small_has_no_verdict_on_either_page(finished, tmp_path, quick, why):
    """There are three claims, some of which are true of these runs."""
    report = build_report(SMALL, finished.records, quick)
    expected = ["0 of 3 of the paper's claims are judged", why, "not judged"]
    for page in (markdown_page.write(report, tmp_path), html_page.write(report, tmp_path)):
        text = html.unescape(page.read_text())
        assert all(part in text for part in expected)
        for verdict in ("claims are met", "not met", "inconclusive", "is met", "| met |", "<td>met"):
            assert verdict not in text
    assert ("\n\n**A quick run**" in report.summary) == quick


def test_a_summary_counts_claims_without_a_verdict_separately(finished):
    """In one of the two cases the measured value is not a number."""
    calm, loud = finished.records
    twice = lambda history: pd.concat([history, history.assign(seed=history["seed"] + 3)])  # as if of six seeds
    broken = {label: history.assign(metric=np.nan) for label, history in loud.outcome.histories.items()}
    many = [
        record._replace(
            outcome=record.outcome._replace(histories={label: twice(table) for label, table in tables.items()}),
            raw={**record.raw, "run": {**record.raw["run"], "seeds": 6}},
        )
        for record, tables in ((calm, calm.outcome.histories), (loud, broken))
    ]
    claims = (Claim("DIAMOND", "D-SGD", "metric", 1e9),)
    summary = build_report(replace(SMALL, claims=claims), many, False).summary
    assert "1 of 2 of the paper's claims is met (1 not judged): the measured value is not a number" in summary


STAGES = ({"name": "edge_sums"}, {"name": "loss", "probability": 0.2, "symmetric": False})


def test_a_case_has_a_channel_which_the_report_names(tmp_path):
    """Tuning and runs pass it; the other case, without one, is what it was."""
    lossy, ideal = SMALL.cases[0]._replace(channel=STAGES), SMALL.cases[0]._replace(name="ideal", title="ideal")
    grid, short = {"lower_step": [0.06, 0.12]}, {"rounds": 10, "seeds": 1, "observe_every": 5, "precision": "float64"}
    methods = {"tracking": section("gtsgd")}
    common = replace(SMALL, stated={}, methods=methods, grid=grid, run=short, claims=(), cases=(lossy, ideal))
    mixed = run(common, tmp_path / "mixed")
    problem = hg.problems.quadratic(4, noise=0.01, heterogeneity=1.0)
    method, options = hg.GTSGD(0.06, 0.12, hg.Exact()), {"rounds": 10, "observe_every": 5, "check": False}
    channel = [hg.channels.EdgeSums(), hg.channels.Loss(0.2, symmetric=False)]
    for record, passed in zip(mixed.records, (channel, None), strict=True):
        options["channel"] = passed
        best = replace(method, lower_step=record.tunings["tracking"].steps["lower_step"])
        alone = hg.solve(best, problem, hg.networks.ring(4), **options)
        np.testing.assert_allclose(record.outcome.histories["tracking"]["metric"], alone.history["metric"], rtol=1e-12)
        scores = hg.tune(method, problem, hg.networks.ring(4), grid=grid, rounds=10, seeds=1, channel=passed).table
        np.testing.assert_array_equal(record.tunings["tracking"].table["score"], scores["score"])
    named = "these stages, from the sender outward: `edge_sums`, then `loss (probability = 0.2, symmetric = false)`."
    report = build_report(common, mixed.records, False)
    page = markdown_page.write(report, mixed.folder).read_text()
    assert f"In 4 agents, noise 0.01, every message passed a channel with {named}" in page
    assert "In ideal, the channel was ideal." in page
    assert f"The communication graph and its weights. Every message passed a channel with {named} 4 agents" in page
    assert page.count("`edge_sums`") == 2
    web = html_page.write(report, mixed.folder).read_text()
    assert "<code>edge_sums</code>, then <code>loss (probability = 0.2, symmetric = false)</code>" in web
    one = build_report(common, mixed.records[:1], False)
    text = "".join(block.markdown for block in one.blocks if isinstance(block, Text))
    assert f"with seed 0. Every message passed a channel with {named}" in text
    none = build_report(common, mixed.records[1:], False)
    assert "channel" not in markdown_page.write(none, tmp_path / "mixed").read_text()


def test_a_method_that_sends_several_times_counts_its_exchanges(tmp_path):
    shared = SMALL.cases[0]._replace(problem={**SMALL.cases[0].problem, "share": "both"})
    lossy = shared._replace(name="lossy", title="lossy", channel=STAGES)
    steps = {"upper_step": 0.02, "lower_step": 0.05, "adjoint_step": 0.05, "upper_momentum": 0.5}
    loops = {"algorithm": "ma_dsbo", **steps, "inner_steps": 2, "iterations": 3}
    short = {"rounds": 4, "seeds": 1, "observe_every": 2, "precision": "float64"}
    methods = {"loops": loops, "D-SGD": section("dsgd")}
    common = replace(SMALL, stated={}, methods={}, grid={}, claims=(), run=short, cases=(shared, lossy))
    both = run(replace(common, stated=methods), tmp_path / "both")
    history = pd.read_csv(both.folder / "history.csv").set_index(["case", "method"])
    each = {(case, method): times for case in ("calm", "lossy") for method, times in (("loops", 4), ("D-SGD", 1))}
    assert set(history.index) == set(each)
    for which, times in each.items():
        assert (history.loc[which, "exchanges"] == times * history.loc[which, "round"]).all()


def test_settings_override_quick_options_and_those_override_the_experiment():
    quick = replace(SMALL, quick={"run.rounds": 20, "run.seeds": 2})
    raw = quick.configuration(SMALL.cases[0], SMALL.methods, True, {"run.seeds": 5, "run.rounds": None})
    assert (raw["run"]["rounds"], raw["run"]["seeds"]) == (20, 5)
