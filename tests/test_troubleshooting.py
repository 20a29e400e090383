"""The messages that docs/troubleshooting.md quotes are messages of this library."""

import ast
import re
from pathlib import Path

import pytest

import hypergossip

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
SOURCES = sorted(Path(hypergossip.__file__).parent.rglob("*.py"))


def texts() -> list[str]:
    """Every text of the source, adjacent literals joined, with … for what is filled in."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


TEXTS = texts()
QUOTED = [line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]


def test_the_page_quotes_many():
    assert len(QUOTED) > 50


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_in_the_source(message):
    # What is filled in may itself hold words of the message, or more than one thing.
    parts = [re.escape(part.strip(" :;,")) for part in message.split("…") if part.strip(" :;,")]
    assert parts
    pattern = re.compile(".*".join(parts), re.DOTALL)
    assert any(pattern.search(text) for text in TEXTS), message
