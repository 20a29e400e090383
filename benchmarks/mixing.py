"""Dense product, neighbour list, or list of edges: the time of one average over the neighbours, by the graph."""

from functools import partial

import jax
import jax.numpy as jnp

import hypergossip as hg
from benchmarks.timing import alternate, report
from hypergossip.engines.mixing import choose

ENTRIES = 200
REPEATS = 50


def main() -> None:
    """Prints microseconds an average, and what "auto" chooses."""
    graphs = [
        hg.networks.ring(16),
        hg.networks.ring(64),
        hg.networks.ring(256),
        hg.networks.ring(1024),
        hg.networks.exponential(256),
        hg.networks.exponential(1024),
        hg.networks.erdos_renyi(256, 0.1),
        hg.networks.erdos_renyi(256, 0.3),
        hg.networks.erdos_renyi(1024, 0.1),
        hg.networks.star(1024),
    ]

    @partial(jax.jit, static_argnames="count")
    def many(mixing, table, count):
        return jax.lax.fori_loop(0, count, lambda _, t: mixing.apply(t), table)

    rows = []
    for network in graphs:
        table = jax.random.normal(jax.random.key(0), (network.agents, ENTRIES), jnp.float32)
        forms = {
            form: choose(network.mixing, form)
            for form in ("dense", "neighbours", "edges")
            if not (form == "neighbours" and network.degrees.max() > 256)
        }
        seconds = alternate({name: partial(many, form, table, REPEATS) for name, form in forms.items()}, repeats=5)
        times = ", ".join(f"{name} {s.min() / REPEATS * 1e6:.0f}" for name, s in seconds.items())
        rows.append((network.name, f"{times}; auto: {type(choose(network.mixing)).__name__.lower()}"))
    report(f"one average of {ENTRIES} entries an agent, microseconds", rows)


if __name__ == "__main__":
    main()
