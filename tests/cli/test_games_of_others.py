"""An environment of another package on the command line."""

import pandas as pd

from calling import call, done, refused

GAME = """\
[problem]
name = "parallel_game"
game = "mpe2/simple_speaker_listener-v4"
horizon = 4
pad = true
widths = [3]
reward_model = false
episodes = 1
test_episodes = 2

[network]
name = "complete"
n = 2

[run]
rounds = 2

[methods.actor-critic]
algorithm = "dac"
upper_step = 0.3
lower_step = 0.1
hypergradient = "direct"
"""


def test_a_foreign_game_runs_from_a_file(tmp_path):
    (tmp_path / "game.toml").write_text(GAME)
    done("run", "--config", tmp_path / "game.toml", "--out", tmp_path / "run")
    history = pd.read_parquet(tmp_path / "run" / "history.parquet")
    assert history["return"].notna().all()
    (tmp_path / "game.toml").write_text(GAME.replace("n = 2", "n = 3"))
    message = refused(call("run", "--config", tmp_path / "game.toml", "--out", tmp_path / "other"))
    assert "has 2 agents, such as speaker_0, but the network has 3" in message
