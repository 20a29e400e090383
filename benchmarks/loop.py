"""`solve` against loops written by hand, the same DIAMOND rounds on a9a: in JAX and in PyTorch."""

import time

import jax
import numpy as np

import hypergossip as hg
from benchmarks.handwritten import jax_diamond, torch_diamond
from benchmarks.timing import report
from hypergossip.problems import hyperparameter

BATCH = 32
SETTINGS = {"alpha": 0.1, "beta": 0.15, "eta": 0.1, "gamma": 0.1, "K": 10, "L": 4.0}
ROUNDS = {5: 2000, 100: 200}
TORCH_ROUNDS = 3
TURNS = 7


def main() -> None:
    """Prints the ratios."""
    rows = []
    for agents, rounds in ROUNDS.items():
        problem = hyperparameter("a9a", agents, batch_size=BATCH)
        network = hg.networks.erdos_renyi(agents, 0.5, seed=0, weights="laplacian")
        W = network.mixing.toarray()
        algorithm = hg.Diamond(
            SETTINGS["alpha"], SETTINGS["beta"], SETTINGS["eta"], SETTINGS["gamma"], hg.Neumann(10, SETTINGS["L"])
        )
        by_hand = jax_diamond(problem, W, rounds, BATCH, SETTINGS)
        other = jax.block_until_ready(by_hand())
        own, hand = [], []
        for _ in range(TURNS):
            result = hg.solve(algorithm, problem, network, rounds=rounds, observe_every=rounds, check=False)
            own.append(result.history["seconds"].iloc[-1])
            begin = time.perf_counter()
            jax.block_until_ready(by_hand())
            hand.append(time.perf_counter() - begin)
        difference = np.abs(result.x - np.asarray(other[0])).max() / np.abs(result.x).max()
        rows += [
            (f"{agents} agents, solve", f"{rounds / min(own):.0f} rounds/s"),
            (f"{agents} agents, by hand in JAX", f"{rounds / min(hand):.0f} rounds/s"),
            (f"{agents} agents, solve / by hand", f"{min(hand) / min(own):.2f} (at least 0.9)"),
            (f"{agents} agents, relative difference of the two x", f"{difference:.1e}"),
        ]
    try:
        in_torch = torch_diamond(problem, W, TORCH_ROUNDS, BATCH, SETTINGS)
        in_torch()
        begin = time.perf_counter()
        in_torch()
        seconds = (time.perf_counter() - begin) / TORCH_ROUNDS
        rows += [
            ("100 agents, PyTorch loop over agents", f"{1 / seconds:.2f} rounds/s"),
            ("100 agents, solve / PyTorch", f"{seconds * rounds / min(own):.0f} (at least 10)"),
        ]
    except ImportError:
        rows.append(("PyTorch", "is not installed: pip install 'hypergossip[bench]'"))
    report("DIAMOND on a9a, batch 32, K = 10", rows)


if __name__ == "__main__":
    main()
