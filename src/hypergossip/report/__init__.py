"""Tables, figures and pages of results: histories in, a file or a table out."""

from hypergossip.report import figures, html_page, markdown_page, network_picture, story, tables

__all__ = ["figures", "html_page", "markdown_page", "network_picture", "story", "tables"]
