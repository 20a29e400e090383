"""Agents as processes of their own on a real network: messages, links, rounds, and the engine `Peers`.

What is listed here is imported on first use, so that a command that only reads reports does not import JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "agent_settings": ["Policy"],
        "agent_processes": ["PeersError"],
        "engine": ["Peers"],
        "link_faults": ["LinkFaults"],
    },
)
