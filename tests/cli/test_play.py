"""``hypergossip play``: episodes with trained policies, and what is refused."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from calling import call, done, refused

GAME = """\
[problem]
name = "cooperative_navigation"
widths = [4]
reward_model = false
episodes = 1
test_episodes = 3

[network]
name = "complete"
n = 2

[run]
rounds = 4
seed = 5
seeds = 2
title = "two agents"

[methods.actor-critic]
algorithm = "dac"
upper_step = 0.3
lower_step = 0.1
hypergradient = "direct"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run on a game; tests only read it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "game.toml").write_text(GAME)
    result = done("run", "--config", folder / "game.toml", "--out", folder / "run")
    assert "return" in result.stdout
    assert "4 rounds, return -" in result.stderr
    return folder / "run"


def test_the_run_has_a_history_of_returns_and_a_figure(trained):
    history = pd.read_parquet(trained / "history.parquet")
    assert "metric" not in history
    assert "exchanges" not in history  # one message per round
    assert history.groupby("round")["samples"].max().tolist() == [50.0 * round for round in range(5)]
    assert (trained / "figure.png").stat().st_size > 10_000


def test_play_draws_an_episode_into_the_folder_of_the_run(trained, tmp_path):
    result = done("play", trained)
    animation, strip = result.stdout.strip().splitlines()
    assert animation == str(trained / "play-actor-critic-seed5-episode0.gif")
    assert strip == animation.replace(".gif", ".png")
    with Image.open(animation) as image:
        assert image.n_frames > 25
    other = tmp_path / "other.gif"
    result = call("play", trained, "--method", "actor-critic", "--seed", 6, "--episode", 2, "--out", other)
    assert result.stdout.strip().splitlines() == [str(other), str(other.with_suffix(".png"))]
    with Image.open(animation) as one, Image.open(other) as two:
        assert one.size[0] == two.size[0]
        assert one.size != two.size or (np.asarray(one.convert("RGB")) != np.asarray(two.convert("RGB"))).any()


def test_a_reproduction_of_one_case_can_be_played(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "S9" / "cases" / "only")
    done("play", tmp_path / "S9")
    assert (tmp_path / "S9" / "cases" / "only" / "play-actor-critic-seed5-episode0.gif").is_file()
    shutil.copytree(trained, tmp_path / "S9" / "cases" / "second")
    assert str(tmp_path / "S9" / "cases" / "second") in refused(call("play", tmp_path / "S9"))


def test_other_folders_and_options_are_refused_with_advice(trained, finished, tmp_path):
    assert "no config.toml" in refused(call("play", tmp_path))
    assert "not a game" in refused(call("play", finished))
    assert "did you mean 'actor-critic'" in refused(call("play", trained, "--method", "actor-critics"))
    assert "seeds 5 to 6" in refused(call("play", trained, "--seed", 0))
    assert "3 test episodes" in refused(call("play", trained, "--episode", 3))
    assert "ends in .gif" in refused(call("play", trained, "--out", tmp_path / "film.mp4"))
    shutil.copytree(trained, tmp_path / "begun")
    shutil.rmtree(tmp_path / "begun" / "methods")
    assert "hypergossip resume" in refused(call("play", tmp_path / "begun"))


def test_policies_of_another_configuration_are_not_played(trained, tmp_path):
    copied = shutil.copytree(trained, tmp_path / "copy")
    text = (copied / "config.toml").read_text()
    for old, new, name in (
        ("    4,", "    5,", "problem"),
        ("seeds = 2", "seeds = 3", "seeds"),
        ("upper_step = 0.3", "upper_step = 0.2", "algorithm"),
        ('name = "complete"', 'name = "complete"\nweights = "lazy-metropolis"', "network"),
    ):
        assert old in text
        (copied / "config.toml").write_text(text.replace(old, new))
        sentence = refused(call("play", copied, "--seed", 6, "--out", tmp_path / "never.gif"))
        assert "belongs to another configuration" in sentence
        assert f"{name} differ" in sentence or f"{name}, " in sentence
    assert not (tmp_path / "never.gif").exists()
    assert "--out is /proc/x.gif, but no file" in refused(call("play", copied, "--out", "/proc/x.gif"))


def test_a_game_has_no_metric_for_tuning_or_stopping(trained, tmp_path):
    tuned = ("tune", "--config", trained / "config.toml", "--grid", "upper_step=0.1,0.3", "--rounds", 2)
    assert "observes return" in refused(call(*tuned, "--out", tmp_path / "a"))
    done(*tuned, "--seeds", 1, "--score", "return", "--largest", "--out", tmp_path / "b")
    table = pd.read_csv(tmp_path / "b" / "table.csv")
    assert table["score"].is_monotonic_decreasing
    stopped = call("run", "--config", trained / "config.toml", "--stop", 0.1, "--out", tmp_path / "c")
    assert "no losses" in refused(stopped)
