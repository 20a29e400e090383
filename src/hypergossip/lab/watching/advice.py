"""Why nobody answers: Zenoh cannot tell a refused certificate from an absent agent, and a TCP connection can."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

from hypergossip.lab.watching.collector import Collector
from hypergossip.lab.watching.plan_file import WatchPlan

PATIENCE = 5.0  # seconds
TRIED = 8  # addresses
TIMEOUT = 1.0  # seconds


def silence(collector: Collector) -> str:
    """Returns a sentence of advice for a network of which no agent has reported.

    Args:
        collector: What has collected nothing.
    """
    plan, view = collector.plan, collector.view()
    if view.refused:
        return "Agents report, and nothing they say is valid; use the same version of hypergossip here and there."
    if connected := collector.connections():
        return (
            f"{connected} of {len(plan.agents)} agents are connected and none reports: they have not begun, belong to "
            f"another run than {plan.run}, or do not allow this certificate's name as an observer."
        )
    listening = _listening(plan)
    if listening:
        cause = (
            f"check the certificate: {_short(listening)} can be reached, and refuses this one or is of another network"
            if plan.certificates is not None
            else f"{_short(listening)} can be reached: agents with certificates need the table [tls] in watch.toml"
        )
        return f"Nobody answers; {cause}."
    addresses = _short([agent.address for agent in plan.agents])
    return f"Nobody answers at {addresses}; start the agents, and check the addresses and the firewall."


def _listening(plan: WatchPlan) -> list[str]:
    addresses = [agent.address for agent in plan.agents[:TRIED]]
    with ThreadPoolExecutor(TRIED) as pool:
        return [address for address, there in zip(addresses, pool.map(_is_there, addresses)) if there]


def _is_there(address: str) -> bool:
    found = re.fullmatch(r"\w+/(.+):(\d+)", address)
    if found is None:
        return False
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), TIMEOUT).close()
    except (OSError, OverflowError):
        return False
    return True


def _short(addresses: list[str]) -> str:
    more = f" and {len(addresses) - 2} more" if len(addresses) > 3 else ""
    return ", ".join(addresses[: 2 if more else 3]) + more
