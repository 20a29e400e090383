"""Empirical check of the theory: `python -m studies.theory [NAMES] [--out FOLDER] [--quick]`, or `make theory`.

A claim is a file, and its name is in `NAMES`. It holds three functions:

- ``measure(quick) -> DataFrame``: runs it; every number of its figure and of its report is in the table. With `quick`
  it is a few seconds of the same, enough to see that it runs;
- ``draw(table) -> Figure``: measured points, the fitted line, theory's line;
- ``report(table) -> list of (what, value)``: the fitted numbers beside theory's, as text.

A run writes NAME.csv and NAME.png and prints the report.
"""

NAMES = ("convergence", "speed_up", "series", "products", "consensus", "heterogeneity")
