"""[[channel]] in a file: the runs are those of `solve` and `tune` with that channel, and what is refused."""

import json
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from calling import call, done, refused
from small_experiment import EXPERIMENT

CHANNEL = """
[[channel]]
name = "edge_sums"

[[channel]]
name = "loss"
probability = 0.2
symmetric = false
"""
STAGES = [hg.channels.EdgeSums(), hg.channels.Loss(0.2, symmetric=False)]
IN_ONE_LINE = "edge_sums, then loss (probability = 0.2, symmetric = false)"
LINES = len(EXPERIMENT.splitlines())
TRACKING = hg.GTSGD(0.1, 0.2, hg.Neumann(3, 5.0))
OPTIONS = {"rounds": 40, "seeds": 2, "observe_every": 10, "check": False}


def problem():
    return hg.problems.quadratic(3, noise=0.1)


def lossless(history):
    """A history without what no two runs have in common, and without columns that are empty."""
    return history.drop(columns="seconds").dropna(axis="columns", how="all").reset_index(drop=True)


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """The path of the small experiment with a channel."""
    path = tmp_path_factory.mktemp("lossy") / "lossy.toml"
    path.write_text(EXPERIMENT + CHANNEL)
    return path


@pytest.fixture(scope="module")
def compared(lossy, tmp_path_factory):
    """The folder of its comparison, and the output of the command."""
    folder = tmp_path_factory.mktemp("compared") / "lossy"
    return folder, done("compare", "--config", lossy, "--out", folder)


@pytest.fixture
def copied(compared, tmp_path):
    """A copy of the folder."""
    return shutil.copytree(compared[0], tmp_path / "copy")


def test_a_run_from_a_file_is_that_of_solve(compared):
    folder, _ = compared
    alone = hg.solve(TRACKING, problem(), hg.networks.ring(3), channel=STAGES, **OPTIONS)
    kept = hg.load(folder / "methods" / "tracking")
    np.testing.assert_array_equal(kept.x, alone.x)
    np.testing.assert_array_equal(kept.y, alone.y)
    pd.testing.assert_frame_equal(lossless(kept.history), lossless(alone.history), check_exact=True)
    ideal = hg.solve(TRACKING, problem(), hg.networks.ring(3), **OPTIONS)
    assert not np.array_equal(ideal.x, alone.x)


def test_the_folder_and_the_output_name_the_channel(compared):
    folder, result = compared
    lines = result.stdout.splitlines()
    assert lines[0] == f"channel: {IN_ONE_LINE}"
    assert lines[-1] == str(folder / "figure.png")
    stages = tomllib.loads(CHANNEL)["channel"]
    assert tomllib.loads((folder / "config.toml").read_text())["channel"] == stages
    assert json.loads((folder / "summary.json").read_text())["channel"] == stages


def test_only_methods_with_a_conserved_sum_have_its_column(compared, tmp_path):
    folder, result = compared
    history = pd.read_csv(folder / "history.csv")
    empty = history["conserved"].isna()
    assert set(history.loc[empty, "method"]) == {"D-SGD"}
    assert set(history.loc[~empty, "method"]) == {"tracking"}
    (row,) = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("conserved")]
    assert row[1] == "–"
    assert float(row[2]) < 1e-9
    final = json.loads((folder / "summary.json").read_text())["methods"]
    assert "conserved" not in final["D-SGD"]["final"]
    assert "conserved" in final["tracking"]["final"]
    done("plot", folder, "--out", tmp_path / "again.svg")
    drawn = (tmp_path / "again.svg").read_text()
    assert "conserved" not in drawn
    assert "channel: edge_sums, then loss" in drawn


def test_without_a_channel_no_output_mentions_one(experiment, finished, tmp_path):
    assert "channel" not in (finished / "config.toml").read_text() + (finished / "summary.json").read_text()
    assert all("channel" not in path.read_text() for path in finished.rglob("ended.toml"))
    lines = done("run", "--config", experiment, "--method", "tracking", "--rounds", 1, "--out", tmp_path / "run").stdout
    assert "channel" not in "".join(lines.splitlines()[:-1])


def test_options_of_the_command_line_change_the_channel(finished, lossy, tmp_path):
    run = ("run", "--config", lossy, "--method", "tracking", "--out", tmp_path / "run")
    done(*run, "--set", "channel.1.probability=0.5")
    stages = [hg.channels.EdgeSums(), hg.channels.Loss(0.5, symmetric=False)]
    alone = hg.solve(TRACKING, problem(), hg.networks.ring(3), channel=stages, **OPTIONS)
    place = ("run", "methods", "tracking")
    np.testing.assert_array_equal(hg.load(tmp_path.joinpath(*place)).x, alone.x)
    done(*run, "--overwrite", "--set", "channel=[]")
    ideal = hg.load(finished / "methods" / "tracking")
    np.testing.assert_array_equal(hg.load(tmp_path.joinpath(*place)).x, ideal.x)
    done(*run, "--overwrite", "--rounds", 1, "--set", 'channel=[{name = "noise", std = 0.1}]')
    assert "conserved" in pd.read_csv(tmp_path / "run" / "history.csv")


def test_a_run_under_a_channel_resumes_with_the_state_of_its_links(compared, lossy, tmp_path):
    run = ("run", "--config", lossy, "--method", "tracking", "--observe-every", 10, "--out", tmp_path / "run")
    done(*run, "--rounds", 20)
    assert done("resume", tmp_path / "run", "--rounds", 40).stdout.startswith(f"channel: {IN_ONE_LINE}\n")
    pieces, at_once = (hg.load(folder / "methods" / "tracking") for folder in (tmp_path / "run", compared[0]))
    np.testing.assert_array_equal(pieces.x, at_once.x)
    pd.testing.assert_frame_equal(lossless(pieces.history), lossless(at_once.history), check_exact=True)


@pytest.mark.parametrize(("old", "new"), [("probability = 0.2", "probability = 0.3"), (CHANNEL, "")])
def test_a_folder_does_not_resume_with_another_channel(copied, old, new):
    (copied / "config.toml").write_text(EXPERIMENT + CHANNEL.replace(old, new))
    sentence = refused(call("resume", copied))
    assert "belongs to another configuration: channel differ" in sentence
    assert "Loss(probability=0.2" in sentence


def test_a_folder_without_a_channel_does_not_resume_with_one(finished, tmp_path):
    copied = shutil.copytree(finished, tmp_path / "copy")
    with (copied / "config.toml").open("a") as file:
        file.write(CHANNEL)
    assert "belongs to another configuration: channel differ" in refused(call("resume", copied))


NESTED = """
[methods.MDAC]
algorithm = "mdac"
upper_step = 0.02
lower_step = 0.02
inner_steps = 2

[methods.MDAC.hypergradient]
name = "exact"

[[channel]]
name = "common_copy"
gamma = 0.3

[[channel]]
name = "top_k"
count = 1
"""


def test_a_method_that_sends_in_a_loop_of_one_turn_is_refused_before_anything_runs(tmp_path):
    path = tmp_path / "nested.toml"
    path.write_text(EXPERIMENT.replace("noise = 0.1", 'noise = 0.1\nshare = "both"') + NESTED)
    sentence = refused(call("compare", "--config", path, "--method", "MDAC", "--out", tmp_path / "out"))
    assert "[methods.MDAC] MDAC cannot be used with CommonCopy" in sentence
    assert "another method, or a channel without a state" in sentence
    assert not (tmp_path / "out").exists()
    never = lambda row: pytest.fail(f"round {row['round']} was measured")
    method, stages = hg.MDAC(0.02, 0.02, hg.Exact(), 2), [hg.channels.CommonCopy(0.3), hg.channels.TopK(1)]
    both = hg.problems.quadratic(3, share="both")
    with pytest.raises(ValueError, match="MDAC cannot be used with CommonCopy"):
        hg.solve(method, both, hg.networks.ring(3), rounds=2, check=False, on_row=never, channel=stages)


BAD = {
    "an unknown stage": (CHANNEL.replace('"loss"', '"los"'), ("[channel.1]", "'los'", "'loss'", LINES + 5)),
    "an unknown option": (
        CHANNEL.replace("probability", "probabilty"),
        ("[channel.1] loss has no option 'probabilty'", "'probability'", LINES + 7),
    ),
    "a wrong type": (CHANNEL.replace("0.2", '"0.2"'), ("[channel.1] probability = '0.2'", "number", LINES + 7)),
    "a wrong type of a flag": (CHANNEL.replace("false", "0"), ("[channel.1] symmetric = 0", "boolean", LINES + 8)),
    "a missing option": (
        CHANNEL.replace("probability = 0.2\n", ""),
        ("[channel.1] loss lacks the option 'probability'", LINES + 5),
    ),
    "a missing name": (CHANNEL.replace('name = "loss"\n', ""), ("[channel.1] lacks the option 'name'", LINES + 5)),
    "a name of another type": (CHANNEL.replace('"edge_sums"', "1"), ("[channel.0] name = 1", "string", LINES + 3)),
    "refused by the stage": (CHANNEL.replace("0.2", "1.2"), ("[channel.1] Loss: probability is 1.2", LINES + 5)),
    "an option of the library's own": (
        CHANNEL.replace('"edge_sums"', '"common_copy"\ncodings = []'),
        ("[channel.0] common_copy has no option 'codings'", "gamma, level", LINES + 4),
    ),
    "a wrong order": (
        '\n[[channel]]\nname = "noise"\nstd = 0.1\n' + CHANNEL,
        ("[channel] EdgeSums", "must be the first stage", LINES + 2),
    ),
    "a single section": ("\n[channel]\nname = 'loss'\n", ("write a section [[channel]]", LINES + 2)),
    "a list of names": (None, ("write a section [[channel]]", 1)),
    "another name of the section": (CHANNEL.replace("channel", "channels"), ("'channels'", "did you mean 'channel'")),
    "what a method cannot work with": (
        CHANNEL.replace('"edge_sums"', '"common_copy"'),
        ("[methods.D-SGD]", "CommonCopy needs a reliable link"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_channel_gets_one_sentence_and_writes_nothing(tmp_path, case):
    text, expected = BAD[case]
    path = tmp_path / "bad.toml"
    path.write_text('channel = ["loss"]\n' + EXPERIMENT if text is None else EXPERIMENT + text)
    sentence = refused(call("compare", "--config", path, "--out", tmp_path / "out"))
    for part in expected:
        part = f"(bad.toml, line {part})" if isinstance(part, int) else part
        assert part in sentence, sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("channel.1.probability=.1", "write channel.1.probability=0.1."),
        ("channel.1.probability=1.2", f"(lossy.toml, line {LINES + 5}, --set channel.1.probability)"),
        ("channel.1.probability=[]", "(--set channel.1.probability)"),
        ("channel.2.std=0.1", "channel is a list of 2 entries, numbered from 0"),
        ('channel=[{name = "noise", std = .1}]', "write numbers as 0.1"),
        ('channel=[{name = "noise", st = 0.1}]', "did you mean 'std'? (--set channel)"),
        (
            'channel=[{name = "loss", probability = 2}]',
            "probability is 2.0; give a probability from 0 to 1. (--set channel)",
        ),
        ('channel=[{name = "noise", std = 0.1}, {name = "edge_sums"}]', "or follow PrivacyNoise. (--set channel)"),
        ('channel=["loss"]', "write a section [[channel]] for each stage (--set channel)"),
    ],
)
def test_a_bad_option_that_changes_the_channel_is_named_instead_of_a_line(lossy, tmp_path, option, expected):
    sentence = refused(call("compare", "--config", lossy, "--set", option, "--out", tmp_path / "out"))
    assert expected in sentence
    assert ("line" in sentence) == ("line" in expected or "at line 1" in sentence)


def test_a_channel_that_a_method_of_a_comparison_does_not_correct_gets_one_warning(experiment, tmp_path):
    noise = ("--set", 'channel=[{name = "noise", std = 0.1}]', "--rounds", 0, "--out", tmp_path / "out")
    lines = done("compare", "--config", experiment, *noise).stderr.splitlines()
    (warning,) = [line for line in lines if "warning" in line and "D-SGD" not in line]
    assert warning.startswith("hypergossip: warning: [methods.tracking] GTSGD: noise changes the sum")


def test_tune_under_a_channel_is_that_of_the_library(lossy, tmp_path):
    grid = {"upper_step": [0.05, 0.1], "lower_step": [0.2, 0.1]}
    sets = [text for name, values in grid.items() for text in ("--grid", f"{name}={','.join(map(str, values))}")]
    tuning = ("tune", "--config", lossy, "--method", "tracking", *sets, "--set", "tune.grid={}")
    result = done("tune", "--config", lossy, "--method", "tracking", *sets, "--out", tmp_path / "tuned")
    assert result.stdout.splitlines()[0] == f"channel: {IN_ONE_LINE}"
    table = pd.read_csv(tmp_path / "tuned" / "table.csv", keep_default_na=False)
    options = {"grid": grid, "rounds": 20, "seeds": 2}
    alone = hg.tune(TRACKING, problem(), hg.networks.ring(3), channel=STAGES, **options)
    np.testing.assert_array_equal(table["score"], alone.table["score"])
    best = tomllib.loads((tmp_path / "tuned" / "best.toml").read_text())
    assert best["channel"] == tomllib.loads(CHANNEL)["channel"]
    done("run", "--config", tmp_path / "tuned" / "best.toml", "--rounds", 2, "--out", tmp_path / "best")
    refused(call(*tuning, "--set", 'channel.0.name="common_copy"', "--out", tmp_path / "refused"))
    assert not (tmp_path / "refused").exists()


def test_channels_are_listed():
    listed = dict(line.split("\t") for line in done("list", "channels").stdout.splitlines())
    assert set(listed) == {
        *("loss", "gilbert_elliott", "noise", "fading", "delay"),
        *("quantize", "top_k", "random_k", "common_copy", "edge_sums", "privacy_noise"),
    }
    assert listed["loss"] == "Every message is lost with a probability, independently."
