"""Tables and figures of results: histories in, a file or a table out."""

from hypergossip.report import figures, network_picture, tables

__all__ = ["figures", "network_picture", "tables"]
