"""Experiments in files and folders: configurations, the experiments of the papers, reports, and the command line."""

from hypergossip.support.extras import check_installed

check_installed(
    "lab",
    "The command line, with experiments and reports,",
    *("filelock", "markdown_it", "matplotlib", "networkx", "pyarrow", "pydantic", "rich", "sklearn", "tomli_w"),
    "typer",
)
