"""Options of games, networks and learning: what is refused with advice when a problem is made, and what is taken."""

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic import (
    Convolutional,
    FullyConnected,
    Module,
    TabularGame,
    actor_critic,
    as_parallel,
    cooperative_navigation,
    from_tuples,
    from_vmas,
    navigation,
    networked_process,
    pursuit,
    pursuit_evasion,
    tabular,
    traffic_graph,
    traffic_measures,
    traffic_signals,
)
from hypergossip.problems.actor_critic.foreign_games import find_game
from hypergossip.problems.actor_critic.presets import sharing
from hypergossip.problems.actor_critic.rollout import rollout
from hypergossip.support.arguments import as_float, choice, flag, real_number
from refusals import refused

GAME, OTHER = navigation(2), hg.problems.quadratic(2)
ACTIVATIONS = "choose one of tanh, relu, elu, gelu, sigmoid, softplus."
NAMED, QUOTED = "give a list of names of layers, such as ['last']", "give True or False, without quotation marks."


@pytest.mark.parametrize(
    ("make", "named", "options", "advice"),
    [
        (make, named, options, advice)
        for make, named, values, advice in (
            (cooperative_navigation, "activation", ("Tanh", None, jax.nn.tanh, ["tanh"]), ACTIVATIONS),
            (pursuit_evasion, "activation", ("ReLU",), ACTIVATIONS),
            (FullyConnected, "activation", ("swish",), ACTIVATIONS),
            (FullyConnected, "widths", ("64", 64, (8, 0), (2.5,)), "for every hidden layer"),
            (FullyConnected, "last_scale", ("1", None, True), "give a number"),
            (Convolutional, "channels", (8,), "for every hidden layer"),
            (cooperative_navigation, "reward_model", ("false", "no"), QUOTED),
            (cooperative_navigation, "normalized_advantages", ("false", "no"), QUOTED),
            (cooperative_navigation, "discount", ("0.9", None, True, 1, float("nan")), "give a number in [0, 1)"),
            (cooperative_navigation, "trace", ("0.9", True), "give a number in [0, 1], 0 for TD(0)"),
            (cooperative_navigation, "entropy", ("0.1", True, None, -1), "give a number, at least 0, or a schedule"),
            (cooperative_navigation, "critic_damping", ("0.1", np.float32(0)), "give a positive number"),
            (cooperative_navigation, "local_ratio", ("0.5", True), "give a number between 0"),
            (cooperative_navigation, "agents", ("3", True, 2.5, 0), "give a whole number, at least 1."),
            (cooperative_navigation, "episodes", ("2", True, 0.5), "give a whole number, at least 1."),
            (cooperative_navigation, "shared_layers", ("last",), NAMED),
            (cooperative_navigation, "sees", (["observation"],), "choose one of observation, global_state."),
            (navigation, "horizon", ("25", 2.5, None), "give a whole number, at least 1."),
            (navigation, "rewards", (None, {}), "choose one of mpe2, openai, assigned."),
            (pursuit_evasion, "reward_model", ("no",), QUOTED),
            (pursuit_evasion, "shared_reward", ("false",), QUOTED),
            (pursuit_evasion, "width", (0, -1, "32", 2.5, (32,)), "give a whole number, at least 1."),
            (pursuit, "preset", (["v5"], None), "choose one of v5, v4, paper."),
            (pursuit, "agents", ("8", 2.5), "give a whole number, at least 1."),
            (pursuit, "surround", ("false", 1), "give True or False"),
            (pursuit, "constraint_window", ("0.5", True), "give a number above 0"),
            (pursuit, "tag_reward", ("0.5", None, True, float("nan")), "give a number"),
            (networked_process, "agents", (0, "6"), "give a whole number, at least 1."),
            (networked_process, "states", (0,), "give a whole number, at least 1."),
            (networked_process, "discount", (1.0, "0.9"), "give a number in [0, 1)"),
        )
        for options in ({named: value} for value in values)
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(make, named, options, advice, unchecked):
    assert refused(lambda: make(**options), [advice]).startswith(f"{named} is ")


PROCESS = networked_process(2, 2)
ARGUMENTS = {
    "the name of a game": (lambda: actor_critic("navigation"), "game is 'navigation'; give an instance, such as"),
    "a function that makes a game": (lambda: actor_critic(navigation), "game is of type function; give"),
    "the class of a game": (lambda: actor_critic(type(GAME)), "game is the class Navigation; give an instance"),
    "a problem as a game": (lambda: actor_critic(OTHER), "game is of type Problem; give"),
    "a problem as an environment": (lambda: as_parallel(OTHER), "game is of type Problem; give"),
    "the class of a network": (lambda: actor_critic(GAME, critic=FullyConnected), "critic is the class FullyConnected"),
    "a number as a network": (lambda: actor_critic(GAME, actor=3), "actor is 3; give a network"),
    "text for a flag": (lambda: actor_critic(GAME, reward_model="false"), f"reward_model is 'false'; {QUOTED}"),
    "images": (lambda: actor_critic(GAME, actor=Convolutional()), "takes images .*, but its inputs have the shape"),
    "a module": (lambda: Module(lambda key: key), "make will be called as make(key, inputs, outputs)"),
    "no list of layers": (lambda: sharing(FullyConnected(), GAME, "observation", 1), f"shared_layers is 1; {NAMED}"),
    "no names of layers": (lambda: sharing(FullyConnected(), GAME, "observation", [1]), "shared_layers is [1]; give"),
    "no process": (lambda: tabular("chain"), "process is 'chain'; give a process, such as networked_process"),
    "no process of a game": (lambda: TabularGame(OTHER, 3), "process is of type Problem; give"),
    "no steps": (lambda: TabularGame(PROCESS, 0), "horizon is 0; give a whole number, at least 1."),
    "no horizon": (lambda: tabular(PROCESS, horizon=0), "horizon is 0; give a whole number, at least 1."),
    "no features": (lambda: tabular(PROCESS, features=0), "features is 0; give a whole number, at least 1."),
    "no function": (lambda: from_tuples(None, horizon=5), "from_tuples takes a function that makes a gymnasium"),
    "arguments": (lambda: from_tuples(lambda size: size, horizon=5), "but from_tuples calls it without arguments"),
    "no scenario": (lambda: from_vmas(5, horizon=5), "scenario is 5; give the name of a scenario of VMAS"),
    "text for pad": (lambda: from_vmas("balance", horizon=5, pad="false"), f"pad is 'false'; {QUOTED}"),
    "no road network": (lambda: traffic_signals(["grid4x4"]), "net is ['grid4x4']; give one of RESCO's networks"),
    "no road network of a graph": (lambda: traffic_graph({}), "net is {}; give one of RESCO's networks"),
    "a reward of a list": (lambda: traffic_signals(reward=["queue"]), "reward is of type list; choose one of"),
    "a number as an environment": (lambda: find_game(5), "game is 5; write package/name"),
    "a path as an environment": (lambda: find_game("../mine:make"), "game is '../mine:make', but ../mine cannot be"),
    "no episode": (lambda: rollout("game", None), "this problem is not a game"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_of_the_wrong_kind_is_refused_with_advice(case, unchecked):
    call, sentence = ARGUMENTS[case]
    refused(call, sentence.split(".*"))


def test_a_misspelt_option_is_told_by_the_function_that_was_called():
    for call, name in ((traffic_signals, "traffic_signals"), (traffic_measures, "traffic_measures")):
        with pytest.raises(TypeError, match=f"^{name} has no option 'secnds'; did you mean 'seconds'"):
            call(secnds=5)
    with pytest.raises(TypeError, match=r"^from_tuples has no option 'paad'; did you mean 'pad'"):
        from_tuples(lambda: None, horizon=5, paad=True)


def test_numbers_of_numpy_are_taken_and_become_pythons(unchecked):
    numbers = {"episodes": np.int64(2), "test_episodes": np.int64(1), "critic_iterations": np.int64(2)}
    reals = {"discount": np.float32(0.5), "critic_damping": np.float32(0.25), "trace": 0, "entropy": np.float64(0.5)}
    flags = {"normalized_advantages": np.bool_(True), "reward_model": np.bool_(False)}
    problem = cooperative_navigation(np.int64(2), widths=[4], shared_layers=["last"], **numbers, **reals, **flags)
    form = problem.oracles.form
    taken = form.episodes, form.critic_iterations, form.discount, form.critic_damping, form.entropy, form.normalized
    assert taken == (2, 2, 0.5, 0.25, 0.5, True)
    assert list(map(type, taken)) == [int, int, float, float, float, bool]
    assert (form.game, form.reward_model, form.critic) == (navigation(2), None, FullyConnected([4]))
    assert hash(form.critic) == hash(FullyConnected((4,)))
    plain = {"episodes": 2, "test_episodes": 1, "critic_iterations": 2, "discount": 0.5, "critic_damping": 0.25}
    plain |= {"entropy": 0.5, "normalized_advantages": True, "reward_model": False}
    assert form == cooperative_navigation(2, widths=(4,), shared_layers=("last",), **plain).oracles.form


def test_games_take_whole_floats_and_arrays_without_axes(unchecked):
    assert navigation(2.0, horizon=np.int64(5), local_ratio=np.float64(0.5)) == navigation(2, horizon=5)
    small = pursuit(agents=3.0, tag_reward=1, surround=np.bool_(False))
    assert small == pursuit(agents=3, tag_reward=1.0, surround=False)
    assert type(small.agents) is int
    assert pursuit(catch_reward=jax.numpy.ones(())).catch_reward == 1


def test_the_checks_themselves():
    assert flag("pad", np.bool_(False)) is False
    assert choice("whole", "state", {"state": 1}) == "state"
    assert (as_float(jax.numpy.ones(())), as_float(np.array(2)), as_float(3)) == (1.0, 2.0, 3.0)
    assert real_number("step", 2, "give a number") == 2.0
    for value in (True, np.bool_(True), "1", None, [1.0], np.ones(1), 1j, 10**309, float("inf"), np.array(True)):
        assert np.isnan(as_float(value)), value
        refused(lambda value=value: real_number("step", value, "give a number"), ["step is ", "; give a number."])
