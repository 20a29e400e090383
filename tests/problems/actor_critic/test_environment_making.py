"""What makes no parallel environment, global states that are none, an environment's own errors, and its seed."""

import gc
import random
from itertools import count

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pettingzoo
import pytest
from gymnasium.spaces import Box, Discrete
from mpe2 import simple_spread_v3
from plain_environment import HORIZON, LATE, Kept, Plain, changed, played, refused

import hypergossip as hg
from hypergossip.problems.actor_critic import EnvironmentFailure, FullyConnected, actor_critic, from_parallel
from hypergossip.problems.actor_critic.rollout import rollout
from hypergossip.support.callbacks import own_errors


def needs(size, /, colour):
    return Plain()


class Alone(gymnasium.Env):
    observation_space, action_space = Box(0, 1, (2,)), Discrete(3)


ONLY = Plain()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: simple_spread_v3.env(N=2), "a turn-based environment, simple_spread_v3, .*use parallel_env"),
        (simple_spread_v3.env, "a turn-based environment, simple_spread_v3, .*use parallel_env"),
        (simple_spread_v3.parallel_env(N=2), "was given one of type .*; write `lambda: ...` before the call"),
        (simple_spread_v3, "was given a module; write `lambda: ...` before the call"),
        (None, "was given one of type NoneType; write `lambda: ...`"),
        (lambda: None, "returns None; let it return the environment"),
        (lambda: Plain, "returns 'Plain' without calling it; add parentheses"),
        (lambda: simple_spread_v3.parallel_env, "without calling it; add parentheses"),
        (needs, "needs, needs size and colour, .*write lambda: needs"),
        (Alone, "makes the gymnasium environment Alone, of a single agent"),
        (dict, "makes one of type dict, which has no possible_agents and no reset"),
        (lambda: ONLY, "returns the same plain in every call, .* let it make a new one"),
    ],
)
def test_what_makes_no_parallel_environment(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_parallel(make, horizon=HORIZON)


@pytest.mark.parametrize("horizon", [25, 25.0, np.int64(25)])
def test_a_horizon_is_a_whole_number(horizon):
    game = from_parallel(Plain, horizon=horizon)
    assert (game.horizon, type(game.horizon)) == (25, int)


@pytest.mark.parametrize("value", ["25", 25.5, None, True, 0, -1])
def test_what_is_no_whole_number_is_refused(value):
    refused(f"horizon is {value!r} and live 64; give whole numbers, at least 1, for both", Plain, horizon=value)
    refused(f"horizon is {HORIZON} and live {value!r}; give whole numbers, at least 1, for both", Plain, live=value)


def test_a_global_state_that_is_not_there():
    error = refused("whole, the global state of plain, raised ", Plain, whole=Plain.state)
    assert type(error.__cause__).__name__ in str(error)  # PettingZoo's own
    refused("omit whole", Plain, whole=lambda environment: environment.status())
    refused("whole is 'observations'; give a function of an environment", Plain, whole="observations")
    refused("whole returns type object for plain", Plain, whole=lambda environment: None)
    changing = lambda environment: np.zeros(1 + environment.t)
    refused("the shape (2,) for plain, but returned (1,) before", Plain, whole=changing)


def test_environments_that_are_refused_are_closed():
    Plain.closed = 0
    refused("have no entry for agent 'a'", changed(rewards=lambda self: {}))
    assert Plain.closed == 2


def breaks(time):
    def rewards(self):
        if self.t == time:
            raise KeyError("wheel")
        return Plain.rewards(self)

    return changed(rewards=rewards)


def test_what_an_environment_raises_is_told_with_its_step_and_seed():
    sentence = "raised KeyError at step 3 of the episode that began with reset(seed=20231): 'wheel'"
    error = refused(f"the environment plain {sentence}", breaks(3), EnvironmentFailure)
    assert isinstance(error.__cause__, KeyError)
    refused("plain raised TypeError at the reset", changed(reset=lambda self: None), EnvironmentFailure)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_at_their_source(value):
    seen = lambda self: self.tell(np.array([0.5, value if self.t == 2 else 0.0]))
    refused(f"the observation of agent 'a' of plain at step 2 contains {value}", changed(seen=seen))
    refused(f"the reward of agent 'a' of plain at step 1 is {value}", changed(rewards=lambda self: self.tell(value)))
    refused(f"whole returns {value} for plain", Plain, whole=lambda environment: np.full(2, value))


def test_a_mask_that_is_added_to_logits_is_refused():
    mask = {"action_mask": np.array([0.0, -1e9, 0.0])}
    refused(
        "return 1 for an action that is allowed and 0 for one that is not", changed(infos=lambda self: self.tell(mask))
    )


@pytest.fixture(scope="module")
def breaking():
    """A game whose environment breaks late, and its problem."""
    small = FullyConnected((2,))
    game = from_parallel(breaks(LATE), horizon=HORIZON)
    return game, actor_critic(game, actor=small, critic=small, reward_model=False, episodes=1, test_episodes=1)


EPISODE = r"the episode that began with reset\(seed=\d+\)"
WITHIN = rf"^the environment plain raised KeyError at step {LATE} of {EPISODE}: 'wheel'$"


def test_what_it_raises_within_a_run_is_no_text_of_jaxs(breaking):
    _, problem = breaking
    slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
    with pytest.raises(EnvironmentFailure, match=WITHIN) as caught:
        hg.solve(slam, problem, hg.networks.complete(2), rounds=1)
    assert isinstance(caught.value.__cause__, KeyError)
    policies = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), problem.upper.unravel(problem.x0))
    with pytest.raises(EnvironmentFailure, match=WITHIN):
        rollout(problem, policies)


@pytest.mark.parametrize(
    "options", [{}, {"seeds": 2}, {"engine": hg.Debug()}], ids=["one run", "two runs side by side", "without compiling"]
)
def test_what_it_raises_in_a_later_round_is_no_text_of_jaxs(options, caplog):
    class Broken(Plain):
        broken = False

        def rewards(self):
            return {}["wheel"] if type(self).broken else super().rewards()

    small = FullyConnected((2,))
    game = from_parallel(Broken, horizon=HORIZON)
    problem = actor_critic(game, actor=small, critic=small, reward_model=False, episodes=2, test_episodes=1)
    slam, network = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct()), hg.networks.complete(2)
    with pytest.raises(EnvironmentFailure, match="the environment plain raised KeyError at step 1") as caught:
        hg.solve(
            slam,
            problem,
            network,
            rounds=3,
            observe_every=1,
            on_row=lambda row: setattr(Broken, "broken", True),
            **options,
        )
    assert isinstance(caught.value.__cause__, KeyError)
    assert not caplog.records


def test_an_error_of_another_program_stays_what_it_is(breaking):
    game, problem = breaking
    with pytest.raises(Exception, match="wheel"):
        played(game)

    def fail(_):
        raise ValueError("something else")

    shape = jax.ShapeDtypeStruct((), float)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"), own_errors(problem.oracles):
        jax.block_until_ready(jax.jit(lambda x: jax.pure_callback(fail, shape, x))(1.0))


# What else than the seed may decide: each is right but for that.
SHARED, ENDS = count(), count(1)
unseeded = lambda self: self.tell(np.random.default_rng().random(2))
drawn = lambda self: self.tell(random.random())


class SeededOnce(Plain):
    def __init__(self):
        super().__init__()
        self.own = np.random.default_rng(0)

    def state(self):
        return self.own.random(3)


class SeedsWhatAllDrawFrom(Plain):
    """Right alone, and wrong as soon as two episodes are played side by side."""

    def reset(self, seed=None, options=None):
        random.seed(seed)
        return super().reset(seed)

    rewards = drawn


@pytest.mark.parametrize(
    ("environment", "differs", "options"),
    [
        (changed(seen=unseeded), "the same one, .* differs in its observations at the reset", {}),
        (changed(rewards=drawn), "the same one, .* differs in its rewards at step 1", {}),
        (changed(rewards=lambda self: self.tell(next(SHARED))), "differs in its rewards at step 1", {}),
        (SeedsWhatAllDrawFrom, "another one of its kind, .* differs in its rewards at step 1", {}),
        (changed(cut=lambda self: self.tell(next(ENDS) % 23 == 4)), "differs in its length at step 5", {}),
    ],
)
def test_an_environment_that_its_seed_does_not_decide(environment, differs, options):
    random.seed(0)
    with pytest.raises(ValueError, match=f"the seed of the environment plain does not determine it: .*{differs}"):
        from_parallel(environment, horizon=HORIZON, **options)


def zombies():
    return from_parallel(lambda: pettingzoo.make("parallel", "butterfly/knights_archers_zombies_v11"), horizon=60)


@pytest.mark.parametrize(
    ("make", "differs"),
    [
        (lambda: from_parallel(Kept, horizon=HORIZON), "plain .* differs in its observations at the reset"),
        (
            lambda: from_parallel(SeededOnce, horizon=4, whole=lambda one: one.state()),
            "in its global state at the reset",
        ),
        (zombies, "knights_archers_zombies_v11 keeps .*: the same one, .* differs in its observations at step 4"),
    ],
)
def test_what_is_kept_over_a_reset_needs_a_new_environment_for_each_episode(make, differs):
    with pytest.warns(UserWarning, match=f"{differs}. Each episode is played in a new environment"):
        game = make()
    first = played(game, game.horizon)
    for _ in range(2):  # used or not, in episodes of another length or not
        played(game, 3)
        np.testing.assert_array_equal(played(game, game.horizon), first)


def test_new_environments_are_closed_after_their_episodes():
    made, closed = [], []

    class Counted(Kept):
        def __init__(self):
            made.append(self)
            super().__init__()

        def close(self):
            closed.append(self)

    with pytest.warns(UserWarning, match="keeps something over a reset"):
        game = from_parallel(Counted, horizon=20, live=2)
    assert len(made) == len(closed) == 5
    for _ in range(3):
        played(game, 20)
    assert len(made) == len(closed) == 8
    for seed in range(4):
        game.reset(jax.random.key(seed))
    assert len(made) - len(closed) == 2
    del game
    gc.collect()
    assert len(made) == len(closed)


def test_an_environment_that_its_seed_decides_is_taken_whatever_its_numbers():
    for value in (np.full(2, 1e30), np.array([True, False]), np.array([250, 5], np.uint8)):
        from_parallel(changed(seen=lambda self, value=value: self.tell(value)), horizon=HORIZON)


def test_the_trial_is_short_and_its_environments_are_used():
    made, steps = [], []

    class Counted(Plain):
        def __init__(self):
            made.append(self)
            super().__init__()

        def step(self, actions):
            steps.append(self.t)
            return super().step(actions)

    game = from_parallel(Counted, horizon=1000)
    assert (len(made), len(steps)) == (2, 3 * 16)
    assert from_parallel(Counted, horizon=2, live=1).horizon == 2
    assert (len(made), len(steps)) == (4, 3 * 16 + 3 * 2)
    played(game)
    assert len(made) == 4
