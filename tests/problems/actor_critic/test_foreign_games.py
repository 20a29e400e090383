"""Environments of other packages by their names, as in a configuration file."""

import numpy as np
import pytest

from hypergossip.problems.actor_critic import parallel_game
from hypergossip.problems.actor_critic.foreign_games import find_game

SMALL = {"horizon": 4, "widths": (3,), "reward_model": False, "episodes": 1, "test_episodes": 2}


@pytest.mark.parametrize(
    ("name", "options", "agents"),
    [
        ("mpe2/simple_spread-v3", {"N": 2}, 2),
        ("mpe2/simple_spread_v3", {}, 3),
        ("mpe2.simple_tag_v3:parallel_env", {}, 4),
        ("sisl/pursuit-v5", {"n_pursuers": 2, "n_evaders": 1}, 2),
    ],
)
def test_environments_are_found(name, options, agents):
    environment = find_game(name)(**options)
    assert len(environment.possible_agents) == agents
    environment.close()


def test_a_problem_of_a_name():
    problem = parallel_game(2, game="mpe2/simple_spread-v3", options={"N": 2}, **SMALL)
    assert problem.names == ("agent_0", "agent_1")
    other = parallel_game(game="mpe2/simple_spread-v3", options={"N": 2}, whole="state", sees="global_state", **SMALL)
    whole = other.oracles.form.game
    assert whole.table.whole == (24,)
    assert np.all(np.isfinite(other.x0))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("simple_spread_v3", "write package/name, such as mpe2/simple_spread-v3, or module:function"),
        (
            "mpe2/simple_sprad-v3",
            r"mpe2 has no parallel environment 'simple_sprad-v3'; did you mean 'simple_spread-v3'\?",
        ),
        ("butterfly/pistonbal-v6", r"no parallel environment 'pistonbal-v6'; did you mean 'pistonball-v6'\?"),
        ("nowhere/to_go-v1", r"nowhere cannot be imported \(No module named 'nowhere'\); install the package"),
        ("json/tool", "json has no parallel environment 'tool'; give module:function, for a function that makes one"),
        ("nowhere:make", r"nowhere cannot be imported .*; install the package"),
        ("mpe2.simple_tag_v3:make", r"mpe2.simple_tag_v3 has no function make"),
    ],
)
def test_names_of_nothing(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_game(name)


def test_options_that_do_not_fit():
    with pytest.raises(ValueError, match="has 3 agents, such as agent_0, but the network has 5; give the network the"):
        parallel_game(5, game="mpe2/simple_spread-v3", **SMALL)
    with pytest.raises(ValueError, match="options is 3; give a table of the environment's arguments, such as N = 3"):
        parallel_game(3, game="mpe2/simple_spread-v3", options=3, **SMALL)
    with pytest.raises(ValueError, match="whole is 'all'; choose one of observations, state"):
        parallel_game(3, game="mpe2/simple_spread-v3", whole="all", **SMALL)
    with pytest.raises(ValueError, match=r"simple_spread-v3 cannot be made with options = {'M': 3}: TypeError .*'M'"):
        parallel_game(3, game="mpe2/simple_spread-v3", options={"M": 3}, **SMALL)
