"""Writes a document as report.md with its pictures beside it."""

from pathlib import Path
from urllib.parse import quote

from hypergossip.figures.network import description
from hypergossip.lab.report import pictures, tables
from hypergossip.lab.report.document import Block, Code, Document, Heading, Picture, Table, Text, Topology, numbered
from hypergossip.lab.report.markup import guarded, literal, plain, sentence

NAME = "report.md"


def write(content: Document, folder: Path | str) -> Path:
    """Writes report.md and its pictures reproducibly, and returns its path.

    Args:
        content: The document.
        folder: The folder; it is created if missing.

    Raises:
        ValueError: If a block has nothing to draw.
    """
    path = Path(folder) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(content, folder)
    parts = [f"# {literal(content.title)}", guarded(content.summary)]
    parts += [_block(block, number) for block, number in numbered(content)]
    path.write_text("\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n", encoding="utf-8")
    return path


def _block(block: Block, number: str) -> str:
    if isinstance(block, Heading):
        return f"## {literal(block.text)}"
    if isinstance(block, Text):
        return guarded(block.markdown)
    if isinstance(block, Table):
        return f"**{number}.** {guarded(block.caption)}\n\n{tables.markdown(block.frame)}"
    if isinstance(block, Code):
        fence = "`" * max(3, 1 + _longest_run(block.text, "`"))
        code = f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"
        return f"{guarded(block.caption)}\n\n{code}" if block.caption else code
    caption = block.caption
    if isinstance(block, Topology):
        caption = f"{sentence(caption)} {description(block.network)}.".replace("\n", "; ")
    path = block.path if isinstance(block, Picture) else block.picture
    return f"![{literal(plain(block.caption))}]({quote(path)})\n\n**{number}.** {guarded(caption)}"


def _longest_run(text: str, letter: str) -> int:
    """Returns the length of the longest run of a letter."""
    longest = 0
    while letter * (longest + 1) in text:
        longest += 1
    return longest
