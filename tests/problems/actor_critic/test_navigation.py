"""Navigation against mpe2's simple_spread_v3, step for step, against formulas, and as a pure function."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from mpe2 import simple_spread_v3

from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.navigation import NavigationState, contact_forces, navigation

HORIZON = 25
RATIOS = (0.0, 0.5, 1.0)
KINDS = [("mpe2", 0.3), ("openai", None), ("assigned", None)]


def theirs(agents, local_ratio=0.5):
    return simple_spread_v3.raw_env(N=agents, local_ratio=local_ratio, max_cycles=HORIZON)


def stand(environment):
    """Where theirs stands, as a state of ours (time apart)."""
    world = environment.world
    position, velocity = (
        np.array([getattr(agent.state, name) for agent in world.agents]) for name in ("p_pos", "p_vel")
    )
    return position, velocity, np.array([landmark.state.p_pos for landmark in world.landmarks])


def put(environment, position, velocity, landmarks):
    """The converse."""
    for i, agent in enumerate(environment.world.agents):
        agent.state.p_pos, agent.state.p_vel = position[i].copy(), velocity[i].copy()
    for i, landmark in enumerate(environment.world.landmarks):
        landmark.state.p_pos = landmarks[i].copy()


def observed(environment):
    """In float64, before PettingZoo's cast."""
    return np.stack([environment.scenario.observation(agent, environment.world) for agent in environment.world.agents])


def play(environment, actions):
    """One step of everybody; the rewards, truncations and terminations."""
    for action in actions:
        environment.step(int(action))
    return tuple(
        np.array([part[name] for name in environment.possible_agents])
        for part in (environment.rewards, environment.truncations, environment.terminations)
    )


def start_of(position, velocity, landmarks, time=0):
    return NavigationState(*map(jnp.asarray, (position, velocity, landmarks)), jnp.asarray(time, jnp.int32))


def record(agents, episodes, random):
    """Episodes of theirs: the first half crowded at the start, and drawn together while they play."""
    environment = theirs(agents)
    starts, moves, seen, gained, truncated = [], [], [], [], []
    for episode in range(episodes):
        environment.reset(seed=episode)
        environment.local_ratio = RATIOS[episode % len(RATIOS)]
        crowded = episode < episodes // 2
        if crowded:
            position, _, landmarks = stand(environment)
            put(environment, 0.2 * position, random.normal(size=(agents, 2)), landmarks)
        starts.append(stand(environment))
        actions = random.integers(0, 5, (HORIZON, agents))
        for t in range(HORIZON):
            if crowded and t % 2:
                x, y = stand(environment)[0].T
                actions[t] = np.where(abs(x) > abs(y), np.where(x > 0, 1, 2), np.where(y > 0, 3, 4))
            rewards, cut, ended = play(environment, actions[t])
            gained.append(rewards)
            truncated.append(cut)
            seen.append(observed(environment))
            assert not ended.any()
        moves.append(actions)
    shaped = lambda parts: np.array(parts).reshape(episodes, HORIZON, *np.shape(parts[0]))
    positions, velocities, landmarks = map(np.array, zip(*starts, strict=True))
    return (positions, velocities, landmarks), np.array(moves), shaped(seen), shaped(gained), shaped(truncated)


@jax.jit
def replay(game, state, moves):
    def body(state, actions):
        state, rewards, terminated, truncated = game.step(state, actions)
        return state, (game.observe(state), rewards, terminated, truncated)

    return jax.lax.scan(body, state, moves)


@pytest.mark.parametrize(("agents", "episodes"), [(2, 200), (3, 200), (5, 80), (10, 20)])
def test_thousands_of_steps_of_mpe2(agents, episodes):
    """Whole episodes, not only single steps: nothing is reset from theirs in between.

    What theirs costs, and how often two agents meet, grows with the square of the agents.
    """
    starts, moves, seen, gained, truncated = record(agents, episodes, np.random.default_rng(agents))
    ratios = jnp.asarray(np.resize(RATIOS, episodes))
    states = NavigationState(*map(jnp.asarray, starts), jnp.zeros(episodes, jnp.int32))
    one = lambda ratio, state, moves: replay(replace(navigation(agents), local_ratio=ratio), state, moves)
    last, (observations, rewards, terminated, cut) = jax.vmap(one)(ratios, states, jnp.asarray(moves))
    np.testing.assert_allclose(observations, seen, atol=1e-9, rtol=0)
    np.testing.assert_allclose(rewards, gained, atol=1e-9, rtol=0)
    np.testing.assert_array_equal(cut, truncated.all(axis=-1))
    np.testing.assert_array_equal(np.flatnonzero(cut[0]), [HORIZON - 1])
    assert not np.any(terminated)
    assert np.all(last.time == HORIZON)
    collisions = -gained[2::3]  # local_ratio 1
    assert np.sum(collisions) > 200
    assert observations.shape[-1] == 6 * agents == simple_spread_v3.env(N=agents).observation_space("agent_0").shape[0]


def test_the_end_as_the_parallel_environment_tells_it():
    """Truncated at the 25th step, not at the 26th; the last observations and the state are those after it."""
    environment = simple_spread_v3.parallel_env(N=3)
    environment.reset(seed=1)
    game = navigation(3)
    state = start_of(*stand(environment.unwrapped))
    for t in range(1, 26):
        actions = np.random.default_rng(t).integers(0, 5, 3)
        told = environment.step(dict(zip(environment.possible_agents, actions, strict=True)))
        state, rewards, terminated, truncated = game.step(state, jnp.asarray(actions))
        observations, gained, ended, cut = (np.array([part[f"agent_{i}"] for i in range(3)]) for part in told[:4])
        np.testing.assert_allclose(rewards, gained, atol=1e-12)
        np.testing.assert_allclose(game.observe(state), observations, atol=1e-6)
        assert (bool(terminated), bool(truncated)) == (ended.any(), cut.all()) == (False, t == 25)
    assert environment.agents == []
    np.testing.assert_allclose(game.global_state(state), environment.state(), atol=1e-6)
    compact = np.concatenate([part.ravel() for part in stand(environment.unwrapped)])
    np.testing.assert_allclose(navigation(3, whole="compact").global_state(state), compact, atol=1e-12)


def contact(apart, actions):
    """Two agents at rest at this distance: mpe2's environment and rewards after a step, and our state and rewards."""
    place = np.array([[0.1, 0.2], [0.1 + apart * 0.6, 0.2 + apart * 0.8]]), np.zeros((2, 2)), np.ones((2, 2))
    environment = theirs(2, 1.0)
    environment.reset(seed=0)
    put(environment, *place)
    state, rewards, _, _ = navigation(2, local_ratio=1).step(start_of(*place), jnp.asarray(actions))
    return environment, play(environment, actions)[0], state, rewards


@pytest.mark.parametrize("apart", [1e-8, 1e-3, 0.2999999, 0.3, 0.3000001])
def test_contact_at_its_limits(apart):
    environment, gained, state, rewards = contact(apart, [0, 0])
    np.testing.assert_allclose(state.velocity, stand(environment)[1], atol=1e-7 if apart < 1e-6 else 1e-12)
    np.testing.assert_allclose(rewards, gained, atol=1e-12)


def test_one_point_pushes_nobody_where_mpe2_divides_by_zero():
    with np.errstate(invalid="ignore"):
        environment, _, state, rewards = contact(0.0, [0, 4])
    assert np.isnan(stand(environment)[1]).all()
    np.testing.assert_allclose(state.velocity, [[0, 0], [0, 0.5]])
    assert np.isfinite(rewards).all()


def test_forces_sum_to_zero_and_are_a_spring_on_overlap():
    position = jnp.asarray(np.random.default_rng(0).uniform(-0.3, 0.3, (7, 2)))
    np.testing.assert_allclose(jnp.sum(contact_forces(position), axis=0), 0, atol=1e-12)
    two = contact_forces(jnp.asarray([[0.0, 0.0], [0.2, 0.0]]))
    np.testing.assert_allclose(two, [[-10, 0], [10, 0]], atol=1e-12)  # 100 * (0.3 - 0.2)


@pytest.mark.parametrize(("rewards", "ratio"), KINDS)
def test_rewards_are_their_formulas(rewards, ratio):
    random, agents = np.random.default_rng(3), 4
    position, landmarks = random.uniform(-0.4, 0.4, (2, agents, 2))
    state = start_of(position, np.zeros((agents, 2)), landmarks)
    distance = np.linalg.norm(position[:, None] - landmarks, axis=2)
    touching = np.linalg.norm(position[:, None] - position, axis=2) < 0.3
    touched, cover = touching.sum(axis=1) - 1, distance.min(axis=0).sum()
    assert touched.sum() > 0
    expected = {
        "mpe2": -0.7 * cover - 0.3 * touched,
        "openai": np.full(agents, sum(-cover - (one + 1) for one in touched)),
        "assigned": -np.diag(distance) - touched,
    }
    game = navigation(agents, rewards=rewards, local_ratio=ratio)
    np.testing.assert_allclose(game.reward(state), expected[rewards], atol=1e-12)


@jax.jit
def returns(game, key):
    """The mean over agents of a random policy's return in one episode."""
    start, draw = jax.random.split(key)
    moves = jax.random.randint(draw, (HORIZON, game.agents), 0, 5)
    _, (_, rewards, _, _) = replay(game, game.reset(start), moves)
    return jnp.mean(jnp.sum(rewards, axis=0))


def test_random_policies_earn_what_they_earn_in_mpe2():
    random, environment, sample = np.random.default_rng(5), theirs(3), []
    for episode in range(120):
        environment.reset(seed=1000 + episode)
        sample.append(np.mean(sum(play(environment, random.integers(0, 5, 3))[0] for _ in range(HORIZON))))
    ours = np.asarray(jax.vmap(returns, (None, 0))(navigation(3), jax.random.split(jax.random.key(0), 4000)))
    error = np.hypot(np.std(sample) / np.sqrt(len(sample)), np.std(ours) / np.sqrt(len(ours)))
    assert abs(np.mean(sample) - ours.mean()) < 2 * error


def places(dtype):
    """Where derivatives are in danger: at one point, nearly so, on a landmark, at the edge of contact, alone."""
    zero, one = np.zeros((3, 2)), np.array([[0.0, 0], [1, 0], [0, 1]])
    tiny = float(np.finfo(dtype).tiny)
    for scale in (0, tiny, tiny**0.5, tiny**0.25, 1e-12, 1e-4, 0.3, 10):
        yield from ((scale * one, zero, zero), (scale * one, one, scale * one))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_finite_everywhere(dtype):
    def total(game, places, moves):
        state = NavigationState(*places, jnp.zeros((), jnp.int32))
        (position, velocity, *_), (observations, rewards, *_) = replay(game, state, moves)
        return jnp.sum(observations) + jnp.sum(rewards) + jnp.sum(position) + jnp.sum(velocity)

    gradients = jax.jit(jax.vmap(jax.grad(total, argnums=1), (None, 0, None)))
    stacked = tuple(jnp.asarray(np.array(part), dtype) for part in zip(*places(dtype), strict=True))
    for rewards, ratio in KINDS:
        game = navigation(3, rewards=rewards, local_ratio=ratio)
        for gradient in gradients(game, stacked, jnp.zeros((2, 3), jnp.int32)):
            assert gradient.dtype == dtype
            assert np.isfinite(gradient).all()


def test_gradients_are_right_where_there_are_any():
    game, actions = navigation(3), jnp.asarray([1, 2, 4])
    state = game.reset(jax.random.key(2))
    crowd = state.position * 0.1

    def value(position, velocity):
        place = state._replace(position=jnp.asarray(position), velocity=jnp.asarray(velocity))
        moved, rewards, _, _ = game.step(place, actions)
        return moved.velocity, game.observe(moved), rewards

    check_grads(value, (crowd, jnp.ones_like(crowd)), order=1, modes=["rev"], eps=1e-7)


def test_mapped_and_compiled_it_is_the_same_function():
    game = navigation(4)
    assert isinstance(game, Game)
    keys = jax.random.split(jax.random.key(0), 3)
    states = jax.vmap(game.reset)(keys)
    moves = jax.random.randint(jax.random.key(1), (3, 4), 0, 5)
    together = jax.jit(jax.vmap(lambda state, actions: (game.step(state, actions), game.observe(state))))(states, moves)
    for i, key in enumerate(keys):
        alone = game.step(game.reset(key), moves[i]), game.observe(game.reset(key))
        again = game.step(game.reset(key), moves[i]), game.observe(game.reset(key))
        for mine, same, its in zip(*map(jax.tree.leaves, (alone, again, together)), strict=True):
            np.testing.assert_array_equal(mine, same)
            np.testing.assert_allclose(mine, its[i], atol=1e-14)


def test_a_sweep_over_local_ratio_compiles_once():
    traces = []

    @jax.jit
    def reward(game, state):
        traces.append(game.rewards)
        return game.reward(state)

    state = navigation(2).reset(jax.random.key(0))
    for ratio in (0.0, 0.25, 1):
        reward(navigation(2, local_ratio=ratio), state)
    assert traces == ["mpe2"]


@pytest.mark.parametrize("agents", [1, 2])
def test_shapes_of_few(agents):
    for whole, size in (("observations", 6 * agents**2), ("compact", 6 * agents)):
        game = navigation(agents, whole=whole)
        state = game.reset(jax.random.key(0))
        assert (game.observe(state).shape, game.global_state(state).shape) == ((agents, 6 * agents), (size,))
        assert game.step(state, jnp.zeros(agents, jnp.int32))[1].shape == (agents,)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"rewards": "mpe"}, "rewards is 'mpe'; choose one of mpe2, openai, assigned"),
        ({"whole": "all"}, "whole is 'all'; choose one of observations, compact"),
        ({"agents": 0}, "agents is 0; give a whole number, at least 1"),
        ({"horizon": 0}, "horizon is 0; give a whole number, at least 1"),
        ({"local_ratio": 1.5}, "local_ratio is 1.5; give a number between 0"),
        ({"local_ratio": 0.5, "rewards": "assigned"}, "the rewards 'assigned' do not have; omit it"),
    ],
)
def test_bad_options_get_advice(options, advice):
    with pytest.raises(ValueError, match=advice):
        navigation(**options)
