"""Writes a document as report.html: one file with all figures in it, which needs neither a network nor other files."""

import base64
import html
from importlib.resources import files
from pathlib import Path

from hypergossip.figures import style
from hypergossip.figures.network import description
from hypergossip.lab.report import document, pictures, tables
from hypergossip.lab.report.document import Block, Code, Curves, Document, Heading, Picture, Table, Text, Topology
from hypergossip.lab.report.markup import inline, letters, plain, sentence, to_html

NAME = "report.html"
# The page forbids scripts and requests, so that a browser blocks any that a text might contain.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MIN_SECTIONS = 4  # for a table of contents
MAX_SVG = 1_000_000  # bytes; the PNG of a larger figure is smaller


def write(content: Document, folder: Path | str) -> Path:
    """Writes report.html reproducibly, and returns its path.

    Args:
        content: The document.
        folder: The folder, created if missing; it has the pictures of `Picture` blocks.

    Raises:
        ValueError: If a block has nothing to draw, or a picture is missing.
    """
    path = Path(folder) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(content, path.parent), encoding="utf-8")
    return path


def page(content: Document, folder: Path) -> str:
    """Returns the HTML of a document.

    Args:
        content: The document.
        folder: The folder with the pictures of `Picture` blocks.

    Raises:
        ValueError: If a block has nothing to draw, or a picture is missing.
    """
    marks = document.method_indices(content)
    sections = [block.text for block in content.blocks if isinstance(block, Heading)]
    body, section = [], 0
    for block, number in document.numbered(content):
        if isinstance(block, Heading):
            section += 1
            body.append(f'<h2 id="section-{section}">{letters(block.text)}</h2>')
        else:
            body.append(_block(block, number, marks, folder))
    css = files("hypergossip.lab.report").joinpath("page.css").read_text("utf-8")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{html.escape(content.title)}</title>",
        f"<style>\n{css}</style>\n</head>\n<body>",
        f"<header>\n<h1>{letters(content.title)}</h1>\n{to_html(content.summary)}\n</header>",
        _contents(sections),
        "<main>",
        *body,
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _contents(sections: list[str]) -> str:
    if len(sections) < MIN_SECTIONS:
        return ""
    items = "".join(f'<li><a href="#section-{k}">{letters(text)}</a></li>' for k, text in enumerate(sections, 1))
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>'


def _block(block: Block, number: str, marks: dict[str, int], folder: Path) -> str:
    if isinstance(block, Heading | Text):
        return to_html(block.text if isinstance(block, Heading) else block.markdown)
    if isinstance(block, Code):
        caption = f"<figcaption>{inline(block.caption)}</figcaption>" if block.caption else ""
        code = html.escape(block.text.rstrip(), quote=False)
        return f'<figure class="code">{caption}<pre tabindex="0"><code>{code}</code></pre></figure>'
    caption = f"<b>{number}.</b> {inline(sentence(block.caption))}"
    if isinstance(block, Table):
        # A region that scrolls must be reachable by keyboard.
        return (
            f'<figure class="table"><div class="scroll" tabindex="0" role="region" aria-label="{number}">'
            f"<table><caption><div>{caption}</div></caption>\n{tables.html(block.frame)}\n</table></div></figure>"
        )
    if isinstance(block, Topology):
        facts = description(block.network).replace("\n", "; ").replace(" = ", "\u00a0=\u00a0")
        caption += f" {letters(facts)}."
    wide = isinstance(block, Curves) and pictures.columns_of(block) > 1
    image = _image(block, marks, folder)
    return f'<figure class="{"wide" if wide else "narrow"}">{image}<figcaption>{caption}</figcaption></figure>'


def _image(block: document.Figure | Picture, marks: dict[str, int], folder: Path) -> str:
    """Returns an image with its content in a data URI, so that the ids of several SVG files cannot clash."""
    if isinstance(block, Picture):
        path = folder / block.path
        if not path.is_file():
            raise ValueError(
                f"there is no picture {block.path} in the report's folder; write it first, or leave it out."
            )
        content, form, look = path.read_bytes(), path.suffix.lower()[1:], ""
    else:
        figure, form = pictures.figure(block, marks), "svg"
        content = style.encoded(figure, form)
        if len(content) > MAX_SVG:
            form = "png"
            content = style.encoded(figure, form)
        look = f' class="drawn" width="{96 * figure.get_figwidth():.0f}"'
    kind, data = "svg+xml" if form == "svg" else form, base64.b64encode(content).decode("ascii")
    return f'<img{look} alt="{html.escape(plain(block.caption))}" src="data:image/{kind};base64,{data}">'
