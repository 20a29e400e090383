"""S3LDBO: SLDBO whose derivatives are renewed in a share of the rounds only (Yin, Dong, Ma, Wang & Yang 2026)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.algorithms.sldbo import SLDBO, State
from hypergossip.core.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.support.arguments import seed_number


@register
class S3LDBO(SLDBO):
    """Snapshot single-loop decentralized bilevel optimization: a coin decides in each round who pays for derivatives.

    If it fails, the agents keep their last directions, mix and move, and call no oracle. The coin is the network's, the
    same for all agents. The fixed point is that of SLDBO; the steps must be smaller by about the share of the rounds.

    Args:
        upper_step: As in `SLDBO`.
        lower_step: As in `SLDBO`.
        adjoint_step: As in `SLDBO`.
        radius: As in `SLDBO`.
        share: The probability in (0, 1] with which the derivatives are renewed in a round; in round 0 they always are.
        coin_seed: The seed of the coin.
    """

    share: Any = 0.5
    coin_seed: int = static(default=0)

    def renewed(self, round: Any) -> Any:
        """Returns whether the derivatives are renewed in a round.

        Args:
            round: The network's round.
        """
        coin = jax.random.fold_in(jax.random.key(self.coin_seed), round)
        return (round == 0) | jax.random.bernoulli(coin, jnp.asarray(self.share, jnp.result_type(float)))

    def directions(
        self, agent: Oracles, round: Any, state: State, key: Sample
    ) -> tuple[tuple[Upper, Lower, Lower], Cost]:
        """Returns the directions of this round or the last ones, and their cost.

        Args:
            agent: The agent's oracles.
            round: The network's round.
            state: The agent's state before the round.
            key: The agent's key of the round.
        """

        def renew() -> tuple[tuple[Upper, Lower, Lower], Cost]:
            new, cost = super(S3LDBO, self).directions(agent, round, state, key)
            return new, cost.as_arrays()

        keep = lambda: ((state.D_x, state.D_y, state.D_z), Cost().as_arrays())
        return lax.cond(self.renewed(round), renew, keep)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a share outside (0, 1] and a coin_seed that is no seed; the rest is SLDBO's."""
        one_number("share", self.share, "it is the share of rounds with derivatives, such as 0.5", 1.0)
        seed_number(self.coin_seed, name="coin_seed")
        return super().check(facts)
