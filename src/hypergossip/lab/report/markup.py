"""The small Markdown of a story's text: to HTML, to plain words, and to Markdown that shows nothing more than meant."""

import html
import re

INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\[(?P<words>[^\]]+)\]\((?P<address>[^)\s]+)\)"
    r"|\*\*(?P<strong>(?=\S).+?(?<=\S))\*\*"
    r"|(?<![\w*])\*(?P<emphasis>(?=[^\s*]).*?(?<=[^\s*]))\*(?![\w*])",
    re.DOTALL,
)
INDEXED = re.compile(r"\b([A-Za-z])_([A-Za-z0-9])\b")
SCHEMES = re.compile(r"(?:https?:|mailto:)", re.IGNORECASE)
CODE = re.compile(r"(`[^`]+`)")


def to_html(markdown: str) -> str:
    """Returns paragraphs and lists as HTML, everything else escaped, of `markdown`."""
    return "\n".join(_block(block) for block in re.split(r"\n\s*\n", markdown.strip()) if block.strip())


def inline(markdown: str) -> str:
    """Returns a line's markup as HTML, without a paragraph around it, of `markdown`."""
    parts, begin = [], 0
    for match in INLINE.finditer(markdown):
        parts += [letters(markdown[begin : match.start()]), _marked(match)]
        begin = match.end()
    return "".join([*parts, letters(markdown[begin:])])


def letters(text: str) -> str:
    """Returns text escaped for HTML, with a letter and its index, as M_t, set as such."""
    return INDEXED.sub(r"<i>\1</i><sub>\2</sub>", html.escape(text, quote=False))


def mathtext(text: str) -> str:
    """Returns text for Matplotlib, with a letter and its index set as such and every "$" shown."""
    return INDEXED.sub(r"$\1_\2$", text.replace("$", r"\$"))


def sentence(markdown: str) -> str:
    """Returns `markdown` with a full stop, if it ends in none of its own, so that more can follow it."""
    text = markdown.rstrip()
    return text if not text or text[-1] in ".!?:" else text + "."


def plain(markdown: str) -> str:
    """Returns the words of `markdown` without its markup, on one line."""
    return " ".join(html.unescape(re.sub(r"</?(?:a|b|em|i|strong|sub|code)\b[^>]*>", "", _words(markdown))).split())


def guarded(markdown: str) -> str:
    """Returns `markdown` such that other readers of Markdown see no HTML in it."""
    parts = CODE.split(markdown)
    return "".join(part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts))


def literal(text: str) -> str:
    """Returns `text` without markup as Markdown that shows every letter of it, on one line."""
    return re.sub(r"([\\`*\[\]<>#|])", r"\\\1", " ".join(text.split()))


def _block(block: str) -> str:
    """Returns one block's HTML: lines before the first item are a paragraph."""
    lines = block.strip().splitlines()
    first = next((place for place, line in enumerate(lines) if line.startswith("- ")), len(lines))
    paragraph = f"<p>{inline(chr(10).join(lines[:first]))}</p>" if first else ""
    if first == len(lines):
        return paragraph
    items = [[line[2:]] if line.startswith("- ") else [line.strip()] for line in lines[first:]]
    begun: list[list[str]] = []
    for line, item in zip(lines[first:], items, strict=True):
        if line.startswith("- "):
            begun.append(item)
        else:
            begun[-1] += item
    listed = "".join(f"<li>{inline(' '.join(item))}</li>" for item in begun)
    return f"{paragraph}<ul>{listed}</ul>"


def _marked(match: re.Match[str]) -> str:
    if code := match["code"]:
        return f"<code>{html.escape(code)}</code>"
    if strong := match["strong"]:
        return f"<strong>{inline(strong)}</strong>"
    if emphasis := match["emphasis"]:
        return f"<em>{inline(emphasis)}</em>"
    address = match["address"]
    if ":" in address.partition("/")[0] and not SCHEMES.match(address):
        return html.escape(match[0])  # javascript: and the like
    return f'<a href="{html.escape(address)}">{inline(match["words"])}</a>'


def _words(markdown: str) -> str:
    """Returns HTML in which an index is written as it was."""
    return re.sub(r"<i>(\w)</i><sub>(\w)</sub>", r"\1_\2", inline(markdown))
