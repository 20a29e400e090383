"""Whole numbers and seeds: what is taken, what is refused, and that other seeds give other numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic.navigation import navigation
from hypergossip.problems.actor_critic.parallel import as_parallel
from hypergossip.problems.actor_critic.presets import cooperative_navigation
from hypergossip.running.run import begin
from hypergossip.support.arguments import LARGEST_SEED, seed_number, whole_number
from small_problems import advance

NETWORK = hg.networks.ring(3)
ALGORITHM = hg.DSGD(0.1, 0.1, hg.Exact())


def noisy():
    return hg.problems.quadratic(3, noise=0.1)


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.uint8(3), np.float32(3), 2**100])
def test_whole_numbers(value):
    assert whole_number("rounds", value, 0) == (2**100 if value > 3 else 3)
    assert type(whole_number("rounds", value, 0)) is int


@pytest.mark.parametrize("value", [True, 2.5, -1, "ten", None, float("nan"), float("inf"), [3], 1j, np.complex64(1)])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"rounds is .*; give a whole number, at least 0"):
        whole_number("rounds", value, 0)


@pytest.mark.parametrize("value", [0, LARGEST_SEED, 1e3, np.uint32(LARGEST_SEED), np.int64(7)])
def test_a_seed_of_32_bits_is_taken(value):
    assert seed_number(value) == int(value)


@pytest.mark.parametrize("value", [2**32, 2**100, np.uint64(2**63), 1e20])
def test_a_longer_seed_is_refused_with_how_to_make_one(value):
    with pytest.raises(ValueError, match=r"seed is \d+; a seed is .* below 2\*\*32") as error:
        seed_number(value)
    assert "secrets.randbits(32)" in str(error.value)
    advised = int(np.random.SeedSequence(int(value)).generate_state(1)[0])  # the sentence's own words
    assert "int(numpy.random.SeedSequence(number).generate_state(1)[0])" in str(error.value)
    assert seed_number(advised) == advised


def test_the_last_of_several_seeds_counts():
    assert seed_number(LARGEST_SEED - 2, 3) == LARGEST_SEED - 2
    with pytest.raises(ValueError, match=f"seed is {LARGEST_SEED - 1}, and the last of 3 is {LARGEST_SEED + 1}"):
        seed_number(LARGEST_SEED - 1, 3)


@pytest.mark.parametrize("double", [False, True])
def test_every_seed_has_a_key_of_its_own(double):
    """All 32 bits of a seed reach the key, whatever JAX's switch, and it is the key that JAX makes of the number."""
    numbers = np.array([0, 1, 2**16, 2**31 - 1, 2**31, 2**31 + 1, LARGEST_SEED - 1, LARGEST_SEED])
    with jax.enable_x64(double):
        run, _ = begin(hg.Simulated(), ALGORITHM, False, noisy(), NETWORK, numbers, len(numbers))
        keys = np.asarray(jax.random.key_data(run.session.job.keys))
        assert len(np.unique(keys, axis=0)) == len(numbers)
        for number, key in zip(numbers.tolist(), keys, strict=True):
            np.testing.assert_array_equal(key, jax.random.key_data(jax.random.key(jnp.uint32(number))))
            np.testing.assert_array_equal(key, [0, number])


def test_the_largest_seeds_are_runs_of_their_own():
    runs = [advance(ALGORITHM, noisy(), NETWORK, 3, seed)[0].x for seed in (LARGEST_SEED, LARGEST_SEED - 1, 0)]
    assert min(np.abs(runs[0] - runs[1]).max(), np.abs(runs[0] - runs[2]).max()) > 1e-3


DATASET = hg.data.Dataset(
    "mine", np.arange(24.0, dtype=np.float32).reshape(12, 2), np.arange(12, dtype=np.int32) % 2, 2
)
TAKES_A_KEY = {
    "solve": lambda seed: hg.solve(ALGORITHM, noisy(), NETWORK, rounds=0, seed=seed, check=False),
    "tune": lambda seed: hg.tune(ALGORITHM, noisy(), NETWORK, grid={"upper_step": [0.1]}, rounds=1, seed=seed),
    "check_hypergradient": lambda seed: hg.check_hypergradient(noisy(), hg.Exact(), seed=seed),
    "a game": lambda seed: cooperative_navigation(2, seed=seed),
    "an environment": lambda seed: as_parallel(navigation(2), seed),
}
TAKES_A_GENERATOR = {
    "split": lambda seed: hg.data.split(DATASET, (0.5, 0.5), seed),
    "hold_out": lambda seed: hg.data.hold_out(DATASET, 0.25, seed),
    "partition": lambda seed: hg.data.partition(DATASET.labels, 2, seed),
    "quadratic": lambda seed: hg.problems.quadratic(2, seed=seed),
    "sinusoids": lambda seed: hg.problems.sinusoids(2, tasks=1, shots=1, held_out_tasks=1, seed=seed),
    "hyperparameter": lambda seed: hg.problems.hyperparameter("breast_cancer", agents=2, seed=seed),
}


@pytest.mark.parametrize("name", [*TAKES_A_KEY, *TAKES_A_GENERATOR])
@pytest.mark.parametrize("seed", [-1, 0.5, None, True, "now", np.arange(2)], ids=str)
def test_what_is_no_seed_is_refused_wherever_one_is_taken(name, seed, unchecked):
    with pytest.raises(ValueError, match=r"^seed is .* give a whole number, at least 0\.$"):
        (TAKES_A_KEY | TAKES_A_GENERATOR)[name](seed)


@pytest.mark.parametrize("name", TAKES_A_KEY)
def test_a_longer_seed_is_refused_wherever_a_key_is_made_of_it(name):
    with pytest.raises(ValueError, match=r"seed is 4294967296.* below 2\*\*32"):
        TAKES_A_KEY[name](2**32)


def test_an_environment_is_reset_by_seeds_of_32_bits_only():
    environment = as_parallel(navigation(2))
    first, again, other = (environment.reset(seed=seed)[0]["agent_0"] for seed in (LARGEST_SEED, LARGEST_SEED, 0))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    with pytest.raises(ValueError, match=r"below 2\*\*32"):
        environment.reset(seed=2**32)


def test_a_game_of_the_largest_seed_has_test_episodes_of_its_own():
    returns = [cooperative_navigation(2, seed=seed).together["return"] for seed in (LARGEST_SEED, 0)]
    keys = [np.asarray(jax.random.key_data(made.world_key)) for made in returns]
    assert (keys[0] != keys[1]).any()


def test_a_longer_seed_is_right_where_numpy_draws(unchecked):
    draws = [np.concatenate(hg.data.partition(DATASET.labels, 2, seed)) for seed in (1, 1.0, 2**32 + 1, 2**100)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert len({tuple(draw) for draw in draws}) == 3
