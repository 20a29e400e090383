"""Local differential privacy of what an agent sends: clipping and Gaussian noise at the sender."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.channels.arguments import number
from hypergossip.channels.channel import Channel, Message, State
from hypergossip.channels.layout import Layout
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.messages import messages
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.support.extras import require


@dataclass(frozen=True)
class PrivacyNoise(Channel):
    """The sender clips every message to a Euclidean norm and adds Gaussian noise, the same noise for all neighbours.

    A message of norm above `clip` is scaled down to this norm, all its vectors together; one whose norm is not finite
    is sent as zero. Every entry then receives independent noise of standard deviation ``noise_multiplier * clip``. This
    is the Gaussian mechanism (Dwork and Roth 2014, "The algorithmic foundations of differential privacy").

    The sender compares what it receives with its own message as sent, clipped and with its noise, as in Nozari,
    Tallapragada and Cortés (2017, "Differentially private average consensus"). Agent i thus adds W_ij (m_j - m_i),
    where m are messages. These terms cancel over the two ends of every edge where both messages arrive, so averages,
    and the sums that trackers and dual variables conserve, are not changed by clipping and noise; only the differences
    between agents are. With the exact vector in the place of m_i, clipping would pull all agents towards zero, and the
    noise of all rounds would add up in these sums. The message is known to the neighbours anyway, so using it costs no
    privacy. Agents whose vectors are all longer than `clip` agree on their direction only: choose `clip` above the
    norms that occur. Behind this stage, `EdgeSums` makes up for lost and late messages, and `CommonCopy` codes them.

    What is guaranteed: the messages of an agent in a run are (epsilon, delta)-differentially private with respect to
    its whole data set, against all other agents together, even if they deviate from the method (`epsilon`). Two runs
    are adjacent if the data of this agent are replaced by any other; given all earlier messages, the next one then
    changes by at most 2 `clip` before its noise. What links, codings and receivers do later is post-processing and
    costs nothing. Sampling mini-batches is not counted as an amplification, because the agent keeps what it has
    computed from earlier samples.

    What is not protected: whether an agent takes part, the sizes and times of its messages, the actions of games, the
    points and the history that `solve` returns, and data of one agent that another agent also holds. The guarantee
    holds for real numbers and for noise that the neighbours do not know. In a simulation whoever knows the seed can
    compute the noise, and floating-point noise has its own weaknesses (Mironov 2012, "On significance of the least
    significant bits for differential privacy").

    Args:
        clip: The largest Euclidean norm of a message before the noise.
        noise_multiplier: The standard deviation of the noise of an entry, divided by `clip`.

    Raises:
        ValueError: If `clip` is not positive, or the multiplier is negative.
    """

    clip: float | int
    noise_multiplier: float | int

    def __post_init__(self) -> None:
        number(self, "clip", above=0)
        number(self, "noise_multiplier", least=0)

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns the clipped message with noise, which the sender also compares its neighbours' messages with."""
        vector, clip = message.vector, float(self.clip)
        norm = jnp.linalg.norm(vector)
        # A vector without a finite norm has no bounded scaled version, and would be recognised by its NaN.
        clipped = jnp.where(jnp.isfinite(norm), vector * (clip / jnp.maximum(norm, clip)), 0)
        # Noise of fewer bits than the vector's would leave the vector's last bits in the message.
        noise = jax.random.normal(key, vector.shape, vector.dtype)
        sent = clipped + float(self.noise_multiplier) * clip * noise
        return Message(sent, sent), state

    def epsilon(self, messages: int, delta: float) -> float:
        """Returns the epsilon of a number of messages: one agent's messages in a run, or in several runs on its data.

        The messages may depend on each other and on all that was received: k adaptively composed Gaussian mechanisms
        are at least as private as a single one with 1 / sqrt(k) of the noise (Dong, Roth and Su 2022, "Gaussian
        differential privacy"). The package dp-accounting computes its epsilon, which is exact (Balle and Wang 2018,
        "Improving the Gaussian mechanism for differential privacy"). If a stopping rule reads the data, count the
        messages of the largest number of rounds instead of those sent.

            per_round = messages_in_a_round(algorithm, problem)
            result.history["epsilon"] = [noise.epsilon(per_round * t, 1e-5) for t in result.history["round"]]

        Args:
            messages: The number of messages, rounds times `messages_in_a_round`; one to all neighbours counts once. If
                the messages of several runs on the same data are seen, add theirs; these runs need different seeds,
                because runs with the same seed have the same noise.
            delta: The delta of the guarantee, above 0 and below 1; usually well below one over the number of agents.

        Returns:
            Epsilon; zero without messages, and infinite without noise.

        Raises:
            ValueError: If an argument is out of range.
            MissingExtra: If dp-accounting is not installed.
        """
        _check_messages("PrivacyNoise.epsilon", messages, least=0)
        _check_delta("PrivacyNoise.epsilon", delta)
        if messages == 0:
            return 0.0
        # The noise is measured in units of the sensitivity, 2 clip.
        spread = float(self.noise_multiplier) / 2 / math.sqrt(messages)
        return float(_accounting().get_epsilon_gaussian(spread, float(delta)))


def noise_multiplier_for(epsilon: float, delta: float, messages: int) -> float:
    """Returns the smallest `noise_multiplier` of `PrivacyNoise` with which messages are (epsilon, delta)-private.

    Args:
        epsilon: The epsilon of the guarantee, above 0.
        delta: Its delta, above 0 and below 1.
        messages: The number of messages, as for `PrivacyNoise.epsilon`.

    Raises:
        ValueError: If an argument is out of range.
        MissingExtra: If dp-accounting is not installed.
    """
    who = "noise_multiplier_for"
    if isinstance(epsilon, bool) or not isinstance(epsilon, Real) or not 0 < float(epsilon) < math.inf:
        raise ValueError(f"{who}: epsilon is {epsilon!r}; give a number above 0, such as 1.0.")
    _check_delta(who, delta)
    _check_messages(who, messages, least=1)
    spread = _accounting().get_sigma_gaussian(float(epsilon), float(delta))
    return float(2 * math.sqrt(messages) * spread)


def messages_in_a_round(algorithm: Algorithm, problem: Problem) -> int:
    """Returns the number of messages that an agent sends to each of its neighbours in one round.

    Args:
        algorithm: The algorithm.
        problem: The problem.
    """
    method = generalised(fitted(algorithm, problem.upper, problem.lower))
    spaces, start = (problem.upper, problem.lower), (problem.x0, problem.y0)
    return sum(message.times for message in messages(method, spaces, problem.agent_shapes(), *start))


def _accounting() -> Any:
    return require("dp_accounting", "privacy", "The accounting of PrivacyNoise")


def _check_messages(who: str, messages: Any, least: int) -> None:
    if isinstance(messages, bool) or not isinstance(messages, Integral) or int(messages) < least:
        raise ValueError(f"{who}: messages is {messages!r}; give a whole number of at least {least}.")


def _check_delta(who: str, delta: Any) -> None:
    if isinstance(delta, bool) or not isinstance(delta, Real) or not 0 < float(delta) < 1:
        raise ValueError(f"{who}: delta is {delta!r}; give a number above 0 and below 1, such as 1e-5.")
