"""An environment that its seed does not determine is refused."""

import random

import numpy as np
import pytest
from plain_environment import HORIZON, Plain, changed, played

from hypergossip.problems.actor_critic import from_parallel

# What else than the seed may decide: each is right but for that.


class Drawn(Plain):
    def reset(self, seed=None, options=None):
        answer = super().reset(seed)
        self.place = np.random.default_rng().random(2)  # of no seed
        return self.seen(), answer[1]


class DrawnLater(Plain):
    def rewards(self):
        return self.tell(random.random())


class Kept(Plain):
    episodes = 0

    def reset(self, seed=None, options=None):
        self.episodes += 1
        return super().reset(seed)

    def seen(self):
        return self.tell(np.full(2, float(self.episodes)))


class KeptInCommon(Plain):
    shared = np.random.default_rng(0)

    def rewards(self):
        return self.tell(KeptInCommon.shared.random())


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

    def rewards(self):
        return self.tell(random.random())


class EndsAtRandom(Plain):
    ends = 0

    def cut(self):
        EndsAtRandom.ends += 1
        return self.tell(self.ends == 4)


@pytest.mark.parametrize(
    ("environment", "differs", "options"),
    [
        (Drawn, "the same one, .* differs in its observations at the reset", {}),
        (DrawnLater, "the same one, .* differs in its rewards at step 1", {}),
        (Kept, "the same one, .* differs in its observations at the reset", {}),
        (KeptInCommon, "differs in its rewards at step 1", {}),
        (SeededOnce, "differs in its global state at the reset", {"whole": lambda environment: environment.state()}),
        (SeedsWhatAllDrawFrom, "another one of its kind, .* differs in its rewards at step 1", {}),
        (EndsAtRandom, "differs in its length at step 5", {}),
    ],
)
def test_an_environment_that_its_seed_does_not_decide(environment, differs, options):
    random.seed(0)
    with pytest.raises(ValueError, match=f"the seed of the environment plain does not determine it: .*{differs}"):
        from_parallel(environment, horizon=HORIZON, **options)


def test_an_environment_that_its_seed_decides_is_taken_whatever_its_numbers():
    for value in (np.full(2, np.nan), np.array([True, False]), np.array([250, 5], np.uint8)):
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
    assert (len(made), len(steps)) == (2, 3 * 8)
    assert from_parallel(Counted, horizon=2, live=1).horizon == 2
    assert (len(made), len(steps)) == (4, 3 * 8 + 3 * 2)
    played(game)
    assert len(made) == 4
