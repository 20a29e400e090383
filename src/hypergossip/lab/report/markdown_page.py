"""A story as report.md, with still pictures beside it."""

from pathlib import Path
from urllib.parse import quote

from hypergossip.figures.network import facts
from hypergossip.lab.report import pictures, tables
from hypergossip.lab.report.document import Block, Code, Heading, Picture, Story, Table, Text, Topology, numbered
from hypergossip.lab.report.markup import guarded, literal, plain, sentence

NAME = "report.md"


def write(story: Story, folder: Path | str) -> Path:
    """Writes report.md and the pictures that it shows, the same bytes for the same story, and returns its path.

    Args:
        story: The story.
        folder: Missing folders are made.

    Raises:
        ValueError: If there is nothing to draw in a block; the sentence says what to do.
    """
    path = Path(folder) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(story, folder)
    parts = [f"# {literal(story.title)}", guarded(story.summary)]
    parts += [_block(block, number) for block, number in numbered(story)]
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
        caption = f"{sentence(caption)} {facts(block.network)}.".replace("\n", "; ")
    path = block.path if isinstance(block, Picture) else block.picture
    return f"![{literal(plain(block.caption))}]({quote(path)})\n\n**{number}.** {guarded(caption)}"


def _longest_run(text: str, letter: str) -> int:
    """Returns the most of a letter in a row."""
    longest = 0
    while letter * (longest + 1) in text:
        longest += 1
    return longest
