"""Converts the Markdown of a document: to HTML, to plain text, and to Markdown without HTML."""

import html
import re

from markdown_it import MarkdownIt

INDEXED = re.compile(r"(?<![\w/.])([A-Za-z])_([A-Za-z0-9])(?![\w/]|\.\w)")  # a word, not a part of a path
CODE = re.compile(r"(`[^`]+`)")


def letters(text: str) -> str:
    """Returns text escaped for HTML, with a letter and its index, such as M_t, as a subscript."""
    return INDEXED.sub(r"<i>\1</i><sub>\2</sub>", html.escape(text, quote=False))


# Images are disabled because a page may load nothing; the pictures of a document are separate blocks.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")
MARKDOWN.add_render_rule("text", lambda _, tokens, index, *__: letters(tokens[index].content))


def to_html(markdown: str) -> str:
    """Returns `markdown` as HTML: paragraphs, lists and other elements, with any HTML in it escaped."""
    return MARKDOWN.render(markdown).strip()


def inline(markdown: str) -> str:
    """Returns a line of `markdown` as HTML, without a paragraph around it."""
    return MARKDOWN.renderInline(markdown)


def mathtext(text: str) -> str:
    """Returns text for Matplotlib, with a letter and its index as a subscript, and with every "$" escaped."""
    return INDEXED.sub(r"$\1_\2$", text.replace("$", r"\$"))


def sentence(markdown: str) -> str:
    """Returns `markdown` with a full stop if it has no final punctuation, so that a sentence can follow."""
    text = markdown.rstrip()
    return text if not text or text[-1] in ".!?:" else text + "."


def plain(markdown: str) -> str:
    """Returns the text of `markdown` without markup, on one line."""
    tokens = [token for block in MARKDOWN.parse(markdown) for token in block.children or [block]]
    pieces = (token.content or " " * (token.block or token.type.endswith("break")) for token in tokens)
    return " ".join("".join(pieces).split())


def guarded(markdown: str) -> str:
    """Returns `markdown` with "<" escaped outside of code, so that other readers of Markdown see no HTML in it."""
    parts = CODE.split(markdown)
    return "".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def literal(text: str) -> str:
    """Returns Markdown that shows `text` verbatim, on one line."""
    return re.sub(r"([\\`*\[\]<>#|])", r"\\\1", " ".join(text.split()))
