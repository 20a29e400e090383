"""Edges as pairs of names, and files of networks."""

from pathlib import Path

from hypergossip.networks import Network


def joined(network: Network) -> set[frozenset[str]]:
    """The edges as pairs of names."""
    names = range(network.agents) if network.names is None else network.names
    return {frozenset(str(names[agent]) for agent in edge) for edge in network.edges.tolist()}


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
