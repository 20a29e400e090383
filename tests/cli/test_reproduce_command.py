"""``hypergossip reproduce``: its list, its files, how it resumes, what it refuses, and missing data."""

import pandas as pd
import pytest

from calling import call, done, refused
from hypergossip.lab.experiments import catalogue
from hypergossip.lab.experiments.reproduction import Case, Reproduction

RING = {"name": "ring", "n": 3}
SMALL = Reproduction(
    name="Q7",
    title="a quadratic, and missing data",
    source="No paper, figure 7",
    paper="D-SGD converges.",
    choices="The numbers are ours.",
    differences="Nothing differs.",
    cases=(
        Case("here", "three agents", {"name": "quadratic", "noise": 0.01}, RING),
        Case("nowhere", "a9a", {"name": "hyperparameter", "data": "a9a"}, RING),
    ),
    methods={"D-SGD": {"algorithm": "dsgd", "upper_step": 0.06, "lower_step": 0.12, "hypergradient": "exact"}},
    grid={"upper_step": [0.03, 0.06]},
    run={"rounds": 1000, "seeds": 10, "observe_every": 10, "precision": "float64"},
    tune={"seeds": 1, "seed": 1_000_000},
    observation="",
    quick={"run.rounds": 20, "run.seeds": 2},
    quick_cases=("here",),
)


@pytest.fixture(autouse=True, scope="module")
def known():
    """Adds the small experiment to the catalogue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "_EXPERIMENTS", (*catalogue._EXPERIMENTS, SMALL))
        yield


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """Removes all data and the connection to the internet."""

    def fail(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.delenv("HYPERGOSSIP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.retrieve", fail)


@pytest.fixture(scope="module")
def finished(known, tmp_path_factory):
    """A quick run of the small experiment: its folder and the result of the command."""
    folder = tmp_path_factory.mktemp("finished") / "Q7"
    result = done("reproduce", "q7", "--quick", "--out", folder)
    return folder, result


def test_the_list_has_a_line_for_every_experiment():
    for arguments in (("--list",), ()):
        lines = call("reproduce", *arguments).stdout.splitlines()
        assert [line.split("\t")[0] for line in lines] == list(catalogue.names())
    assert lines[-1] == "Q7\ta quadratic, and missing data (No paper, figure 7)"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("diamond-fig11",), "there is no experiment 'diamond-fig11'; did you mean 'diamond-fig1'?"),
        (("diamond-fig1", "--case", "mnits"), "diamond-fig1 has no case 'mnits'; did you mean 'mnist'?"),
    ],
)
def test_an_unknown_name_gets_advice_and_writes_nothing(tmp_path, arguments, sentence):
    assert sentence in refused(call("reproduce", *arguments, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_run_writes_numbers_configurations_and_a_report(finished):
    folder, result = finished
    files = {path.name for path in folder.iterdir()}
    assert files >= {"history.csv", "timing.csv", "tuning.csv", "report.md", "report.html", "figure.png", "cases"}
    assert str(folder / "report.md") in result.stdout
    assert "Q7, three agents" in result.stderr
    history = pd.read_csv(folder / "history.csv")
    assert set(history["case"]) == {"here"}  # only the quick case
    assert sorted(set(history["seed"])) == [0, 1]
    assert history["round"].max() == 20
    assert "D-SGD converges." in (folder / "report.md").read_text()


def test_the_same_command_reads_finished_runs(finished):
    folder, _ = finished
    kept = [path for path in (folder / "cases").rglob("*.npz") if path.is_file()]
    assert kept
    history, times = (folder / "history.csv").read_bytes(), [path.stat().st_mtime_ns for path in kept]
    (folder / "history.csv").unlink()
    result = done("reproduce", "Q7", "--quick", "--out", folder)
    assert (folder / "history.csv").read_bytes() == history
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert "of 2 points" not in result.stderr  # nothing was tuned again


def test_other_options_are_refused_in_the_same_folder(finished):
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    sentence = refused(call("reproduce", "Q7", "--quick", "--seeds", "3", "--out", folder))
    for part in ("other options", "reproduction.toml", "--overwrite", "--out"):
        assert part in sentence, sentence
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_damaged_mark_gets_a_sentence_and_can_be_replaced(tmp_path, no_data):
    marker = tmp_path / "reproduction.toml"
    for damaged in (b'experiment = "Q7', b"\xff\xfe"):
        marker.write_bytes(damaged)
        sentence = refused(call("reproduce", "Q7", "--out", tmp_path))
        for part in (f"{marker} is damaged", "--overwrite", "--out"):
            assert part in sentence, sentence
        assert marker.read_bytes() == damaged
    done("reproduce", "Q7", "--quick", "--rounds", "2", "--overwrite", "--out", tmp_path)


def test_overwrite_keeps_the_earlier_run_if_the_new_one_cannot_start(finished, no_data):
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert "a9a" in refused(call("reproduce", "Q7", "--case", "nowhere", "--overwrite", "--out", folder))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_missing_data_leave_no_mark(tmp_path, no_data):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "new", tmp_path / "mine"):
        for options in ((), ("--seeds", "2"), ("--quick",)):
            arguments = ("reproduce", "diamond-fig1", "--data-dir", tmp_path / "empty", "--out", folder, *options)
            sentence = refused(call(*arguments), after=1)
            assert f"it is not in {tmp_path / 'empty'} (data_dir)" in sentence
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "mine").iterdir()) == []  # an existing folder is not removed


def test_an_interruption_before_the_first_file_leaves_no_mark(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hypergossip.lab.experiments.stages.begin", interrupt)
    assert call("reproduce", "Q7", "--out", tmp_path / "out").exit_code == 130
    assert not (tmp_path / "out").exists()


def test_finished_cases_are_kept_if_a_later_case_has_no_data(tmp_path, no_data):
    folder = tmp_path / "out"
    arguments = ("reproduce", "Q7", "--quick", "--case", "here", "--case", "nowhere", "--out", folder)
    lines = call(*arguments).stderr.splitlines()
    assert "'a9a'" in lines[-1]
    assert pd.read_csv(folder / "history.csv")["round"].max() == 20
    assert "other options" in refused(call(*arguments, "--rounds", "10"))
