"""Ports of this machine on which agents can listen."""

import random
import socket
from contextlib import ExitStack, suppress

LOOPBACK = "127.0.0.1"
OF_SERVERS = range(20_000, 32_768)  # Linux gives outgoing connections ports from 32768 on, other systems from 49152


def free_ports(count: int) -> list[int]:
    """Returns different ports that are free now.

    The system gives none of these ports to an outgoing connection. Otherwise a neighbour that tries to reach an agent
    before it has started could take the agent's own port.

    Args:
        count: The number of ports.

    Raises:
        ValueError: If there are too few free ports.
    """
    with ExitStack() as stack:
        ports: list[int] = []
        for port in random.SystemRandom().sample(OF_SERVERS, len(OF_SERVERS)):
            if len(ports) == count:
                break
            with suppress(OSError):  # it is in use
                stack.enter_context(socket.socket()).bind((LOOPBACK, port))
                ports.append(port)
    if len(ports) < count:
        raise ValueError(f"{count} agents need as many free ports, but {LOOPBACK} has {len(ports)}; use fewer agents.")
    return ports
