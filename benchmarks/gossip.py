"""A gossip step of 1,000 agents on quadratics by automatic differentiation, against NumPy.

x_i <- sum_j w_ij x_j - alpha (A_i x_i - c_i) with 10 entries an agent. NumPy computes it by a sparse product and the
faster of two ways to multiply 1,000 matrices of 10 x 10 by a vector each.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from benchmarks.engine_calls import rounds
from benchmarks.timing import alternate, median_ratio, report
from hypergossip.algorithm import Algorithm, Cost, register

AGENTS, SIZE, STEPS, STEP_SIZE = 1000, 10, 500, 0.1


class State(NamedTuple):
    """The state of `GossipDescent`: the agent's points."""

    x: Any
    y: Any


@register
class GossipDescent(Algorithm):
    """Gradient steps on the upper loss, and averages with the neighbours."""

    step_size: Any

    def init(self, agent: Any, x: Any, y: Any, key: Any) -> State:
        """Returns the start."""
        return State(x, y)

    def step(self, agent: Any, mix: Any, round: Any, state: State, key: Any) -> tuple[State, Cost]:
        """Returns the state after one step, and its cost."""
        fx, _ = agent.upper_gradients(state.x, state.y, key)
        return State(mix(upper=state.x) - self.step_size * fx, state.y), Cost(agent.samples(upper=1), 1)


def main() -> None:
    """Prints microseconds a step and the ratio, on a ring and on a random graph."""
    random = np.random.default_rng(0)
    M = random.standard_normal((AGENTS, SIZE, SIZE))
    A = (M @ M.transpose(0, 2, 1) / SIZE + np.eye(SIZE)).astype(np.float32)
    c = random.standard_normal((AGENTS, SIZE)).astype(np.float32)

    def upper(x: Any, y: Any, batch: Any) -> Any:
        return 0.5 * x @ (batch["A"][0] @ x) - batch["c"][0] @ x

    data = {"A": A[:, None], "c": c[:, None]}
    start = {"x0": np.zeros(SIZE), "y0": np.zeros(1)}
    problem = hg.Problem(upper, lambda x, y, batch: 0.5 * jnp.sum(y**2), upper_data=data, lower_data=data, **start)
    networks = {"ring": hg.networks.ring(AGENTS), "random graph": hg.networks.erdos_renyi(AGENTS, 0.01, seed=0)}
    rows = []
    for name, network in networks.items():
        W = network.mixing.astype(np.float32).tocsr()

        def steps(product: Any, W: Any = W) -> None:
            x = np.zeros((AGENTS, SIZE), np.float32)
            for _ in range(STEPS):
                x = W @ x - STEP_SIZE * (product(x) - c)

        programs = {
            "ours": rounds(GossipDescent(STEP_SIZE), problem, network, STEPS),
            "einsum": lambda steps=steps: steps(lambda x: np.einsum("nij,nj->ni", A, x)),
            "matmul": lambda steps=steps: steps(lambda x: np.matmul(A, x[..., None])[..., 0]),
        }
        seconds = alternate(programs, 15)
        best = min(("einsum", "matmul"), key=lambda way: np.median(seconds[way]))
        each = {way: np.median(turns) / STEPS * 1e6 for way, turns in seconds.items()}
        ratio, low, high = median_ratio(seconds["ours"], seconds[best])
        text = f"{each['ours']:.0f} us, NumPy ({best}) {each[best]:.0f} us, ratio {ratio:.2f} [{low:.2f}, {high:.2f}]"
        rows.append((name, text))
    report(f"a gossip step of {AGENTS} agents", rows)


if __name__ == "__main__":
    main()
