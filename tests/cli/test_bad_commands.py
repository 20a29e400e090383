import json

import numpy as np
import pandas as pd
import pytest

from calling import call, refused
from hypergossip.lab.experiments import comparison
from small_experiment import EXPERIMENT

BAD = {
    "unknown option of a section": (("seeds = 2", "seedz = 2"), ("[run]", "'seedz'", "did you mean 'seed", "line 11")),
    "unknown section": (("[network]", "[networks]"), ("'networks'", "'network'", "line 5")),
    "unknown option of a constructor": (("n = 3", "n = 3\nwieghts = 1"), ("[network] ring", "'weights'", "line 8")),
    "unknown algorithm": (('"dsgd"', '"dsdg"'), ("[methods.D-SGD]", "'dsdg'", "did you mean")),
    "unknown estimator": (('"exact"', '"exakt"'), ("'exakt'", "'exact'", "line 18")),
    "unknown option of an estimator": (("terms = 3", "term = 3"), ("neumann", "'terms'", "line 24")),
    "unknown option of a schedule": (("offset", "ofset"), ("'ofset'", "scale, offset, power", "line 17")),
    "missing option": (("lower_step = 0.2\n", ""), ("[methods.tracking]", "lacks", "'lower_step'")),
    "missing rounds": (("rounds = 40\n", ""), ("[run] lacks", "'rounds'", "--rounds")),
    "missing section": (('[problem]\nname = "quadratic"\nnoise = 0.1\n', ""), ("[problem]",)),
    "wrong type": (("seeds = 2", 'seeds = "two"'), ("[run] seeds = 'two'", "integer", "line 11")),
    "wrong type of an option": (("n = 3", 'n = "three"'), ("[network] n = 'three'", "integer", "line 7")),
    "out of range": (("seeds = 2", "seeds = 0"), ("[run] seeds = 0", "greater than or equal to 1")),
    "not a number": (('"1/3"', '"a third"'), ("power = 'a third'", "fraction", "line 17")),
    "refused by the network": (("n = 3", "n = 0"), ("[network]", "n must be at least 1")),
    "refused by a schedule": (("offset = 1", "offset = 0"), ("PowerDecay", "round 0")),
    "a series that diverges": (("lipschitz = 5", "lipschitz = 0.1"), ("[methods.tracking]", "diverges")),
    "a label that cannot name a folder": (("[methods.tracking]", '[methods."../up"]'), ("'../up'", "folder")),
    "different numbers of agents": (("noise = 0.1", "noise = 0.1\nagents = 4"), ("3 agents", "4")),
    "not TOML": (("seeds = 2", "seeds = "), ("not valid TOML", "line 11")),
    "a large seed": (("seeds = 2", "seed = 4294967296"), ("[run] seed is 4294967296", "below 2**32", "line 11")),
    "a larger seed": (("seeds = 2", f"seed = {2**100}"), ("[run] seed is", "below 2**32", "line 11")),
    "a large last seed": (
        ("seeds = 2", "seed = 4294967295\nseeds = 2"),
        ("[run] seed is 4294967295", "the last of 2 is 4294967296", "line 11"),
    ),
    "a negative seed": (("seeds = 2", "seed = -1"), ("[run] seed = -1", "greater than or equal to 0", "line 11")),
    "a large seed for tuning": (
        ("rounds = 20\nseeds = 2", "rounds = 20\nseed = 4294967296"),
        ("[tune] seed is 4294967296", "below 2**32"),
    ),
    "unknown precision": (("seeds = 2", 'precision = "float16"'), ("precision = 'float16'", "'float32' or 'float64'")),
    "unknown stop rule": (("seeds = 2", "stop = { metrics = 1 }"), ("'metrics'", "'metric'", "line 11")),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_sentence_and_writes_nothing(tmp_path, case):
    (old, new), expected = BAD[case]
    assert old in EXPERIMENT
    path = tmp_path / "bad.toml"
    path.write_text(EXPERIMENT.replace(old, new, 1))
    sentence = refused(call("compare", "--config", path, "--out", tmp_path / "out"))
    for part in expected:
        assert part in sentence, sentence
    assert not (tmp_path / "out").exists()


DIGITS = ("--problem", "hyperparameter", "--set", "problem.data=digits")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--config", "no-such.toml"), "no-such.toml cannot be read"),
        (("--set", "network.p"), "key=value"),
        (("--set", "network.n.deep=1"), "not a section"),
        (("--set", "network.p=0.5"), "no option 'p'"),
        (("--set", "network.p=0.5"), "(--set network.p)"),
        (("--set", "problem.noise=.1"), "write problem.noise=0.1."),
        (("--set", "problem.noise=-1."), "write problem.noise=-1.0."),
        (("--set", "run.seed=007"), "write run.seed=7."),
        (("--set", "run.seeds=x"), "[run] seeds = 'x': it should be a valid integer (--set run.seeds)."),
        (("--set", "run.methods=[D-SGD]"), "not a valid list or table of TOML"),
        (("--problem", "hyperparameter"), "lacks the option 'data'"),
        (("--problem", "hyperparameter", "--set", "problem.data=irises"), "'irises'"),
        (("--data-dir", "somewhere"), "no option 'data_dir'"),
        (("--rounds", "-1"), "rounds = -1"),
        (("--stop", "nan"), "[run] stop: metric is nan"),
        (("--set", "run.stop={seconds=-1.0}"), "[run] stop: seconds is -1.0"),
        (("--seed", 2**32), "[run] seed is 4294967296"),
        (("--seed", "4294967295", "--seeds", "2"), "the last of 2 is 4294967296"),
        (("--engine", "simulatd"), "'simulated'"),
        ((*DIGITS, "--set", "problem.batch_size=1000"), "batch_size is 1000"),
    ],
)
def test_a_bad_option_gets_one_sentence(experiment, tmp_path, arguments, part):
    sentence = refused(call("compare", "--config", experiment, "--out", tmp_path / "out", *arguments))
    assert part in sentence, sentence


UNREADABLE = {
    "UTF-16 with a byte order mark": (EXPERIMENT.encode("utf-16"), "looks like UTF-16"),
    "UTF-16 without a byte order mark": (EXPERIMENT.encode("utf-16-be"), "looks like UTF-16"),
    "Latin-1": (EXPERIMENT.replace("D-SGD", "Größe").encode("latin-1"), "not UTF-8 text (line 14)"),
    "bytes": (bytes(range(1, 256)), "not UTF-8 text (line 2)"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_in_another_encoding_gets_one_sentence(tmp_path, case):
    content, part = UNREADABLE[case]
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    assert part in refused(call("compare", "--config", path, "--out", tmp_path / "out"))


@pytest.mark.parametrize(("mark", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"\xef\xbb\xbf", b"\r\n"), (b"", b"\r\n")])
def test_line_numbers_are_right_with_a_byte_order_mark_and_other_line_ends(tmp_path, mark, end):
    path = tmp_path / "bad.toml"
    content = EXPERIMENT.replace("[problem]\nname", "[problem]\nnome", 1).encode()
    path.write_bytes(mark + content.replace(b"\n", end))
    sentence = refused(call("compare", "--config", path, "--out", tmp_path / "out"))
    assert "[problem] lacks the option 'name'" in sentence
    assert "line 1)" in sentence
    path.write_bytes(mark + content.replace(b"seeds = 2", b"seeds = ", 1).replace(b"\n", end))
    assert "line 11" in refused(call("compare", "--config", path, "--out", tmp_path / "out"))


def test_errors_of_typer_are_one_sentence_and_debug_raises_the_error(tmp_path):
    result = call("compare", "--no-such-option")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    result = call("resume", tmp_path, "--debug")
    assert isinstance(result.exception, ValueError)


@pytest.fixture
def unfinished(copied):
    """A folder in which the first method has finished, and the second has only a checkpoint."""
    (copied / "methods" / "tracking" / "point.npz").unlink()
    return copied


def contents(folder):
    """The bytes of every file in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("label", ["D-SGD", "tracking"])
@pytest.mark.parametrize("name", ["point.npz", "checkpoint.npz"])
def test_a_damaged_file_of_a_method_is_refused_and_nothing_is_written(copied, label, name):
    path = copied / "methods" / label / name
    path.write_bytes(path.read_bytes()[:200])
    before = contents(copied)
    assert f"{path} is damaged" in refused(call("resume", copied))
    assert contents(copied) == before


def test_an_interruption_keeps_the_results_of_the_methods_after_it(copied, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "solve", interrupted)
    before = pd.read_parquet(copied / "history.parquet")
    assert "D-SGD was interrupted at round 40" in call("resume", copied, "--rounds", 60).stderr
    summary = json.loads((copied / "summary.json").read_text())
    assert (summary["status"], list(summary["methods"])) == ("interrupted", ["D-SGD", "tracking"])
    assert summary["methods"]["tracking"]["wall_seconds"] > 0
    pd.testing.assert_frame_equal(pd.read_parquet(copied / "history.parquet"), before)


def test_a_checkpoint_of_another_configuration(unfinished):
    path = unfinished / "config.toml"
    for old, new, name in (
        ("upper_step = 0.1", "upper_step = 0.2", "algorithm"),
        ("noise = 0.1", "noise = 0.2", "problem"),
    ):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        before = contents(unfinished)
        sentence = refused(call("resume", unfinished))
        assert contents(unfinished) == before
        assert "another configuration" in sentence
        assert name in sentence
        path.write_text(text)


def test_a_place_where_nothing_can_be_written_is_refused_with_the_option(experiment, copied, tmp_path):
    file = tmp_path / "file"
    file.write_text("a thesis")
    runs = [("compare",), ("run", "--method", "D-SGD"), ("tune", "--method", "D-SGD")]
    for place in (file / "x", "/proc/x"):
        for command, *options in runs:
            sentence = refused(call(command, "--config", experiment, *options, "--out", place))
            assert f"--out is {place}, but no file can be written there" in sentence
        sentence = refused(call("plot", copied, "--out", f"{place}.png"))
        assert f"--out is {place}.png, but no file" in sentence
        assert f"--out is {place}, but no file" in refused(call("reproduce", "diamond-fig1", "--out", place))
    assert file.read_text() == "a thesis"


def test_an_empty_configuration_of_a_folder_is_named_and_options_that_the_command_lacks_are_not(copied):
    path = copied / "config.toml"
    path.write_text("")
    for command in ("resume", "plot", "play"):
        assert f"{path} lacks the section [problem]; add it there." in refused(call(command, copied))


def test_a_folder_without_a_run(tmp_path):
    assert "no config.toml" in refused(call("resume", tmp_path))
    assert "no config.toml" in refused(call("plot", tmp_path))


def test_a_damaged_history(copied):
    (copied / "history.parquet").write_bytes(np.random.default_rng(0).bytes(100))
    assert "history.parquet is damaged" in refused(call("plot", copied))
