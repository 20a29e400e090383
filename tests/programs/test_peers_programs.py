"""Nine agents in nine processes: the runs of `Simulated` on a9a, and what loss does to the optimum."""

import numpy as np
import pytest

import hypergossip as hg
from channels.setting import DIAMOND, NETWORK, SLAM, distance, problem, run
from hypergossip.peers import LinkFaults

STEPS = {"upper_step": 0.05, "lower_step": 0.1}
NEUMANN = hg.Neumann(5, 4.0)
METHODS = {
    "DIAMOND": hg.Diamond(**STEPS, upper_momentum=0.3, lower_momentum=0.3, hypergradient=NEUMANN),
    "SLAM": hg.Slam(**STEPS, gamma=1.0, rho=0.5, hypergradient=NEUMANN),
    "SlamTracked": hg.SlamTracked(**STEPS, gamma=1.0, rho=0.5, adjoint_step=0.1),
}
LOST = LinkFaults(loss=0.2)
ROUNDS = 4000


@pytest.mark.parametrize("name", METHODS)
def test_nine_processes_on_a9a_are_simulated(name, real_data):
    whole = hg.problems.hyperparameter("a9a", 9, data_dir=real_data)
    given = {"rounds": 200, "check": False, "progress": False, "observe_every": 100}
    here, there = (hg.solve(METHODS[name], whole, NETWORK, engine=e, **given) for e in (hg.Simulated(), hg.Peers()))
    np.testing.assert_allclose(there.x, here.x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(there.y, here.y, rtol=0, atol=1e-10)


@pytest.mark.parametrize("policy", ["deadline", "quorum"])
@pytest.mark.parametrize("method", [DIAMOND, SLAM], ids=["DIAMOND", "SLAM"])
def test_lost_messages_do_not_cost_the_optimum(method, policy):
    """A fifth of the messages is lost, and no round waits for them: edge sums make up for it."""
    engine = hg.Peers(policy=policy, faults=LOST)
    found = run(method, problem(), [hg.channels.EdgeSums()], ROUNDS, engine=engine)
    assert np.sqrt(distance(found, problem())) < 1e-12
