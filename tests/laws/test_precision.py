"""Law 12: without noise a run comes as near to the optimum as its precision allows (docs/precision.md), and stays.

`programs/test_users_compiler.py` runs it in float32, as users do, and for longer; otherwise it is in float64.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import quadratic, solution
from laws.running import trajectory
from laws.table import ENGINES

AS_USERS = jnp.result_type(float) == jnp.float32
FLOOR, ROUNDS = (1e-5, 20_000) if AS_USERS else (1e-13, 4_000)
AGENTS = 8
NETWORK = hg.networks.ring(AGENTS, weights="lazy-metropolis")
METHODS = {
    # A large penalty adds W's round-off up in the dual terms fastest: rho / gamma of it in every round.
    "SlamTracked": (hg.SlamTracked(0.02, 0.02, 0.02, gamma=1.0, rho=10.0), "both", False),
    "Diamond": (hg.Diamond(0.06, 0.12, 0.3, 0.4, hg.Exact()), "upper", True),  # whose trackers are conserved
    "Sparkle": (hg.Sparkle(0.02, 0.02, 0.02), "both", False),  # its corrections add W's round-off up as dual terms do
}
# In float64 the engines are known to agree; in float32 each has its own round-off.
PLACES = [place for place in ENGINES if place != "debug"] if AS_USERS else ["dense"]
PAIRS = [(place, "SlamTracked") for place in PLACES] + [("dense", "Diamond"), ("dense", "Sparkle")]


@pytest.mark.parametrize(("place", "name"), PAIRS)
def test_the_optimum_is_reached_and_kept(place, name):
    method, share, tracks = METHODS[name]
    problem = quadratic(AGENTS, 3, 4, seed=0, noise=0.0, share=share)
    state = trajectory(ENGINES[place], method, problem, NETWORK, (ROUNDS // 2, 3 * ROUNDS // 4, ROUNDS))
    x = np.asarray(state.x, np.float64)
    assert np.abs(x - solution(problem).x).max() < FLOOR
    assert np.ptp(x, axis=0).max() < FLOOR / 10  # it does not drift
    own = state.p if tracks else state.c_x if name == "Sparkle" else state.d_x
    terms = np.asarray(own, np.float64)
    conserved = np.asarray(state.u, np.float64) - terms if tracks else terms
    size = np.abs(x if name == "Sparkle" else terms).max()  # whose terms are x's own differences, rounded as x is
    assert np.abs(conserved.sum(axis=1)).max() < FLOOR * size
