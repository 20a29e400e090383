r"""A MkDocs hook: mathematics becomes MathML when the site is built, so pages need neither JavaScript nor a network.

A page writes `$...$` in a line and `$$ ... $$` in a block, as GitHub does. Several equations stand in one block as
`\begin{align} ... \end{align}`, one per row, with `&` before the sign at which they align and `\tag{6}` for a number.
latex2mathml converts formulas without rows. The rows, their alignment and their numbers are a table made here.
"""

import html
import re
from typing import Any

from latex2mathml.converter import convert

ROWS = re.compile(r"\\begin\{(align\*?|aligned)\}(?P<rows>.*)\\end\{\1\}\s*(?P<tag>\\tag\{[^{}]*\})?", re.DOTALL)
TAG = re.compile(r"\\tag\{(?P<number>[^{}]*)\}")
NAMES = re.compile(r"<mo>([A-Za-z]{2,})</mo>")  # as operators they would stand apart from their arguments
SEMICOLON = re.compile(r"<mi>;</mi>")  # an operator, with space after it
BAR = re.compile(r"<mo>(&#x0007C;|&#x02016;)</mo>")  # of a norm, without the space around an operator
IN_PAGE = re.compile(r'<(?P<kind>span|div) class="arithmatex">(?P<latex>.*?)</(?P=kind)>', re.DOTALL)


def formula(latex: str, display: str) -> str:
    """Returns the MathML of a formula without rows, "inline" or "block", without the element `math` around it."""
    converted = NAMES.sub(r"<mi>\1</mi>", convert(latex.strip(), display=display))
    converted = SEMICOLON.sub("<mo>;</mo>", converted)
    converted = BAR.sub(r'<mo lspace="0" rspace="0" stretchy="false">\1</mo>', converted)
    return re.fullmatch(r"<math[^>]*>(.*)</math>", converted, re.DOTALL)[1]


def inline(latex: str) -> str:
    """Returns the MathML of a formula in a line of text."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{formula(latex, "inline")}</math>'


def block(latex: str) -> str:
    """Returns the MathML of one equation, or of several in rows, with their numbers at the right."""
    rows = ROWS.fullmatch(latex.strip())
    lines = re.split(r"\\\\(?:\[[^\]]*\])?", rows["rows"]) if rows else [latex]
    if rows and rows["tag"]:
        lines[-1] += rows["tag"]
    lines = [line for line in lines if line.strip()]
    width = max(line.count("&") for line in lines) + 1
    table = "".join(_row(line, width) for line in lines)
    return (
        '<div class="equation"><math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
        f'<mtable displaystyle="true">{table}</mtable></math></div>'
    )


def _row(line: str, width: int) -> str:
    """Returns a row of the table: its cells, and a last one for the number, which may be empty."""
    tag = TAG.search(line)
    cells = [formula(cell, "block") if cell.strip() else "" for cell in TAG.sub("", line).split("&")]
    cells += [""] * (width - len(cells))
    number = f"<mtext>({html.escape(tag['number'])})</mtext>" if tag else ""
    return "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in [*cells, number]) + "</mtr>"


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Puts MathML in the place of what pymdownx.arithmatex marked as LaTeX."""

    def converted(match: re.Match[str]) -> str:
        latex = html.unescape(match["latex"]).strip()[2:-2]  # without \( \) or \[ \]
        return block(latex) if match["kind"] == "div" else inline(latex)

    return IN_PAGE.sub(converted, content)
