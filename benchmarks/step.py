"""One DIAMOND step: two points, K = 10, 22 + 22 dimensions, batch 64, logistic loss; one agent and 32.

(a) eq. 5's independent samples, i.i.d. (the default) and in blocks; (b) one lower batch for all factors.
"""

import hypergossip as hg
from benchmarks.engine_calls import rounds
from benchmarks.problems import diamond, logistic
from benchmarks.timing import alternate, ratio, report

ROUNDS = 500


def main() -> None:
    """Prints microseconds an agent and step."""
    programs, agents_of = {}, {}
    for sampling in ("iid", "blocks"):
        for shared in (False, True):
            for agents in (1, 32):
                name = f"{'(b) shared batch' if shared else '(a) eq. 5'}, {sampling}, {agents} agents"
                problem = logistic(agents, sampling=sampling)
                network = hg.networks.ring(agents)
                programs[name] = rounds(diamond(shared_batch=shared), problem, network, ROUNDS)
                agents_of[name] = agents
    seconds = alternate(programs)
    each = {name: s / ROUNDS / agents_of[name] for name, s in seconds.items()}
    rows = [(name, f"{s.min() * 1e6:7.1f}") for name, s in each.items()]
    for name in [name for name in each if name.endswith(" 1 agents")]:
        many = name.replace(" 1 agents", " 32 agents")
        rows.append(
            (f"{name.removesuffix(', 1 agents')}: 32 agents / 1, per agent", f"{ratio(each[many], each[name]):7.2f}")
        )
    report("one DIAMOND step, microseconds an agent (fastest of the turns)", rows)


if __name__ == "__main__":
    main()
