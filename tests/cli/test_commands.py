import json
import tomllib
import warnings

import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from calling import call, done, refused
from hypergossip.lab.cli.errors import one_sentence_errors
from hypergossip.lab.configuration import read


def test_compare_writes_a_folder_that_can_be_read(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {"config.toml", "history.parquet", "history.csv", "figure.png", "summary.json", "methods"}
    history = pd.read_parquet(finished / "history.parquet")
    assert history.columns[:3].tolist() == ["method", "seed", "round"]
    assert set(history["method"]) == {"D-SGD", "tracking"}
    assert history.groupby(["method", "seed"])["round"].apply(list).tolist() == [[0, 10, 20, 30, 40]] * 4
    pd.testing.assert_frame_equal(pd.read_csv(finished / "history.csv"), history, check_dtype=False)
    assert (finished / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert hg.load(finished / "methods" / "D-SGD").rounds == 40
    kept = tomllib.loads((finished / "config.toml").read_text())
    assert kept["run"] == {"rounds": 40, "seeds": 2, "observe_every": 10, "precision": "float64"}


def test_summary_is_strict_json_of_the_history(finished):
    summary = json.loads((finished / "summary.json").read_text(), parse_constant=lambda constant: pytest.fail(constant))
    assert (summary["status"], summary["seeds"]) == ("finished", [0, 1])
    assert {"hypergossip", "jax", "python"} <= set(summary["versions"])
    history = pd.read_parquet(finished / "history.parquet")
    rows = history[(history["method"] == "tracking") & (history["round"] >= 32)]
    by_seed = rows.groupby("seed")["metric"].mean()
    method = summary["methods"]["tracking"]
    np.testing.assert_allclose(method["tail_mean_by_seed"]["metric"], by_seed)
    np.testing.assert_allclose(method["tail_mean"]["metric"], np.median(by_seed))
    assert method["rounds"] == 40


def test_the_command_line_gives_the_same_numbers_as_the_library(finished):
    algorithm = hg.DSGD(0.1, hg.PowerDecay(0.2, 1.0, 1 / 3), hg.Exact())
    problem = hg.problems.quadratic(3, noise=0.1)
    options = {"rounds": 40, "seeds": 2, "observe_every": 10, "check": False, "measure": False}
    result = hg.solve(algorithm, problem, hg.networks.ring(3), **options)
    kept = hg.load(finished / "methods" / "D-SGD")
    np.testing.assert_array_equal(kept.x, result.x)


def test_a_byte_order_mark_is_ignored(experiment, tmp_path):
    marked = tmp_path / experiment.name
    marked.write_bytes(b"\xef\xbb\xbf" + experiment.read_bytes())
    assert read(marked) == read(experiment)
    done("run", "--config", marked, "--method", "D-SGD", "--rounds", 0, "--out", tmp_path / "run")
    kept = tmp_path / "run" / "config.toml"
    kept.write_bytes(b"\xef\xbb\xbf" + kept.read_bytes())  # an editor may write one
    done("resume", tmp_path / "run", "--rounds", 1)


def test_run_takes_one_method_and_options_override_the_file(experiment, tmp_path):
    sentence = refused(call("run", "--config", experiment, "--out", tmp_path / "run"))
    assert "D-SGD, tracking" in sentence
    assert "--method" in sentence
    result = done(
        *("run", "--config", experiment, "--method", "D-SGD", "--rounds", 6, "--seeds", 1, "--seed", 7),
        *("--observe-every", 3, "--agents", 4, "--set", "problem.noise=0.0", "--out", tmp_path / "run"),
        *("--precision", "float32"),
    )
    assert result.stdout.strip().splitlines()[-1] == str(tmp_path / "run" / "figure.png")
    history = pd.read_parquet(tmp_path / "run" / "history.parquet")
    assert history["round"].tolist() == [0, 3, 6]
    assert set(history["seed"]) == {7}
    kept = hg.load(tmp_path / "run" / "methods" / "D-SGD")
    assert kept.x.shape == (1, 4, 5)
    assert kept.x.dtype == np.float32


def test_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done(
        *("run", "--problem", "quadratic", "--network", "complete", "--agents", 3, "--method", "interact"),
        *("--rounds", 2, "--set", "methods.interact.upper_step=0.1", "--set", "methods.interact.lower_step=1/5"),
    )
    assert (tmp_path / "runs" / "quadratic-interact" / "summary.json").is_file()


def test_a_finished_folder_is_not_overwritten_unless_asked(experiment, copied):
    before = (copied / "history.parquet").read_bytes()
    sentence = refused(call("compare", "--config", experiment, "--out", copied))
    assert f"hypergossip resume {copied}" in sentence
    assert "--overwrite" in sentence
    assert (copied / "history.parquet").read_bytes() == before
    # A configuration that cannot run does not delete the earlier run, even with --overwrite.
    refused(call("compare", "--config", experiment, "--out", copied, "--overwrite", "--set", "network.n=0"))
    assert (copied / "history.parquet").read_bytes() == before
    (copied / "mine.txt").write_text("kept")
    options = ("--out", copied, "--overwrite", "--rounds", 4, "--method", "D-SGD")
    done("compare", "--config", experiment, *options)
    assert set(pd.read_parquet(copied / "history.parquet")["method"]) == {"D-SGD"}
    assert [path.name for path in (copied / "methods").iterdir()] == ["D-SGD"]
    assert (copied / "mine.txt").read_text() == "kept"


def test_a_folder_with_other_files_is_never_changed(experiment, tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    sentence = refused(call("compare", "--config", experiment, "--out", tmp_path, "--overwrite"))
    assert "not from a run" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_resume_extends_a_run_bit_for_bit(experiment, copied, tmp_path):
    assert "already done 40 rounds" in refused(call("resume", copied, "--rounds", 30))
    done("resume", copied, "--rounds", 60)
    assert json.loads((copied / "summary.json").read_text())["methods"]["D-SGD"]["rounds"] == 60
    done("compare", "--config", experiment, "--out", tmp_path / "whole", "--rounds", 60)
    for label in ("D-SGD", "tracking"):
        pieces, at_once = (hg.load(place / "methods" / label) for place in (copied, tmp_path / "whole"))
        np.testing.assert_array_equal(pieces.x, at_once.x)
        pd.testing.assert_frame_equal(
            pieces.history.drop(columns="seconds"), at_once.history.drop(columns="seconds"), check_exact=True
        )


def test_resuming_a_finished_folder_runs_nothing_again(copied):
    checkpoints = {path: path.stat().st_mtime_ns for path in copied.rglob("checkpoint.npz")}
    (copied / "history.parquet").unlink()
    done("resume", copied)
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("checkpoint.npz")} == checkpoints
    assert (copied / "history.parquet").is_file()


def test_a_method_that_diverges_does_not_stop_the_others(experiment, tmp_path):
    folder = tmp_path / "out"
    options = ("--out", folder, "--set", "methods.D-SGD.upper_step=1e30", "--seeds", 1)
    result = call("compare", "--config", experiment, *options)
    assert result.exit_code == 2
    assert "no longer finite" in result.stderr
    assert "D-SGD did not finish" in result.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert set(summary["failures"]) == {"D-SGD"}
    assert set(summary["methods"]) == {"tracking"}
    assert (folder / "figure.png").is_file()


def test_rows_stay_if_further_rounds_diverge(experiment, tmp_path):
    folder = tmp_path / "out"
    options = ("--out", folder, "--set", "methods.D-SGD.upper_step=50", "--seeds", 1)
    done("compare", "--config", experiment, *options)
    before = pd.read_csv(folder / "history.csv")
    result = call("resume", folder, "--rounds", 1000)
    assert result.exit_code == 2
    assert "D-SGD did not finish" in result.stderr
    after = pd.read_csv(folder / "history.csv")
    of = lambda frame, name: frame[frame["method"] == name].drop(columns="seconds").reset_index(drop=True)
    pd.testing.assert_frame_equal(of(after, "D-SGD"), of(before, "D-SGD"))
    assert of(after, "tracking")["round"].max() == 1000
    assert set(json.loads((folder / "summary.json").read_text())["methods"]) == {"tracking"}


def test_plot_draws_again(finished, tmp_path):
    figure = tmp_path / "figure.svg"
    result = done("plot", finished, "--out", figure, "--title", "Again")
    assert result.stdout.strip() == str(figure)
    assert "<svg" in figure.read_text()


def test_tune_writes_the_best_point_as_a_configuration(experiment, tmp_path):
    folder = tmp_path / "tuned"
    done("tune", "--config", experiment, "--method", "D-SGD", "--out", folder)
    table = pd.read_csv(folder / "table.csv")
    assert len(table) == 4
    best = table.iloc[0]
    assert best["lower_step.scale"] == 0.2
    method = tomllib.loads((folder / "best.toml").read_text())["methods"]["D-SGD"]
    assert method["upper_step"] == best["upper_step"]
    assert method["lower_step"] == {"scale": 0.2, "offset": 1, "power": "1/3"}
    json.loads((folder / "summary.json").read_text(), parse_constant=lambda constant: pytest.fail(constant))
    wider = ("--extend", 1, "--out", tmp_path / "wider")  # the best point is at an end, where one value is added
    done("tune", "--config", experiment, "--method", "D-SGD", *wider)
    assert len(pd.read_csv(tmp_path / "wider" / "table.csv")) == 6
    done("run", "--config", folder / "best.toml", "--rounds", 2, "--out", tmp_path / "best")
    assert "--grid" in refused(call("tune", "--config", experiment, "--method", "D-SGD", "--grid", "upper_step"))


def test_list_has_one_line_for_every_name_and_there_is_a_version():
    assert call("--version").stdout == f"hypergossip {hg.__version__}\n"
    for kind, name in (("algorithms", "diamond"), ("networks", "ring"), ("problems", "quadratic"), ("data", "a9a")):
        result = call("list", kind)
        assert result.exit_code == 0
        lines = [line.split("\t") for line in result.stdout.splitlines()]
        assert name in [line[0] for line in lines]
        assert all(len(line) == 2 and line[1] for line in lines)
    everything = call("list").stdout.splitlines()
    assert "simulated\tengines" in {line.rsplit("\t", 1)[0] for line in everything}
    assert "did you mean 'networks'" in refused(call("list", "network"))


def test_warnings_are_one_line_each(experiment, tmp_path, capsys):
    weak = ("--set", "methods.tracking.hypergradient.lipschitz=3", "--rounds", 1, "--out", tmp_path / "out")
    result = done("run", "--config", experiment, "--method", "tracking", *weak)
    first = result.stderr.splitlines()[0]
    assert first.startswith("hypergossip: warning: [methods.tracking] Neumann: lipschitz = 3 does not bound")
    with one_sentence_errors(debug=False):
        for kind in (hg.PreflightWarning, hg.MeasurementWarning, UserWarning):
            with warnings.catch_warnings(action="always"):
                warnings.warn(f"be careful\nwith {kind.__name__}.", kind, stacklevel=1)
    kinds = ("PreflightWarning", "MeasurementWarning", "UserWarning")
    assert capsys.readouterr().err == "".join(f"hypergossip: warning: be careful with {kind}.\n" for kind in kinds)
