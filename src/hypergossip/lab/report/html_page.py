"""A story as report.html: one file that needs nothing else, no network and no folder, to be read.

Plotly's library is written into it whole, 4.8 MB: its Python package brings no smaller one. The page forbids itself
every request in its head, so that a browser would refuse what slipped through.
"""

import base64
import html
import json
from importlib.resources import files
from pathlib import Path

from hypergossip.figures import style
from hypergossip.figures.distributions import bins, strips
from hypergossip.figures.network import LARGEST_DRAWN, facts
from hypergossip.lab.report import charts, pictures, tables
from hypergossip.lab.report.document import (
    Block,
    Code,
    Curves,
    Heading,
    Histogram,
    PerAgent,
    Picture,
    Story,
    Table,
    Text,
    Topology,
    numbered,
    places,
)
from hypergossip.lab.report.markup import inline, letters, plain, sentence, to_html

NAME = "report.html"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
WITHOUT_SCRIPTS = "The figures of this page are drawn by JavaScript. The same, still, are in report.md beside it."
FEWEST_IN_CONTENTS = 4  # sections
LEAST_STRIP = 110  # pixels, of a method's agents
# The markers of the legend, in a box from -5 to 5.
SHAPES = {
    "o": '<circle r="4"/>',
    "s": '<path d="M-3.6-3.6h7.2v7.2h-7.2z"/>',
    "^": '<path d="M0-4.4 4.4 3.4h-8.8z"/>',
    "D": '<path d="M0-5 5 0 0 5-5 0z"/>',
    "v": '<path d="M0 4.4 4.4-3.4h-8.8z"/>',
    "P": '<path d="M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"/>',
    "X": '<path d="M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z" transform="rotate(45)"/>',
}
GAPS = {"-": "none", "--": "5 3", ":": "2 3"}


def write(story: Story, folder: Path | str) -> Path:
    """Writes report.html, the same bytes for the same story, and returns its path.

    Args:
        story: The story.
        folder: Missing folders are made; the pictures of `Picture` blocks lie in it.

    Raises:
        ValueError: If there is nothing to draw in a block, or a picture is missing; the sentence says what to do.
    """
    from plotly.offline import get_plotlyjs

    path = Path(folder) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(story, path.parent, get_plotlyjs()), encoding="utf-8")
    return path


def page(story: Story, folder: Path, library: str) -> str:
    """Returns the page.

    Args:
        story: The story.
        folder: Where the pictures of `Picture` blocks lie.
        library: Plotly's JavaScript.

    Raises:
        ValueError: As `write`.
    """
    marks = places(story)
    sections = [block.text for block in story.blocks if isinstance(block, Heading)]
    body, section = [], 0
    for place, (block, number) in enumerate(numbered(story)):
        if isinstance(block, Heading):
            section += 1
            body.append(f'<h2 id="section-{section}">{letters(block.text)}</h2>')
        else:
            body.append(_block(block, number, f"block-{place}", marks, folder))
    assets = files("hypergossip.lab.report")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{html.escape(story.title)}</title>",
        f"<style>\n{assets.joinpath('page.css').read_text('utf-8')}</style>\n</head>\n<body>",
        f"<header>\n<h1>{letters(story.title)}</h1>\n{to_html(story.summary)}\n</header>",
        _contents(sections),
        f"<noscript><p>{WITHOUT_SCRIPTS}</p></noscript>",
        "<main>",
        *body,
        f"</main>\n<script>{library}</script>",
        f"<script>\n{assets.joinpath('page.js').read_text('utf-8')}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _contents(sections: list[str]) -> str:
    if len(sections) < FEWEST_IN_CONTENTS:
        return ""
    items = "".join(f'<li><a href="#section-{k}">{letters(text)}</a></li>' for k, text in enumerate(sections, 1))
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>'


def _block(block: Block, number: str, identity: str, marks: dict[str, int], folder: Path) -> str:
    if isinstance(block, Heading | Text):
        return to_html(block.text if isinstance(block, Heading) else block.markdown)
    if isinstance(block, Code):
        caption = f"<figcaption>{inline(block.caption)}</figcaption>" if block.caption else ""
        code = html.escape(block.text.rstrip(), quote=False)
        return f'<figure class="code">{caption}<pre tabindex="0"><code>{code}</code></pre></figure>'
    caption = f"<b>{number}.</b> {inline(sentence(block.caption))}"
    if isinstance(block, Table):
        # A region that scrolls is reached by keyboard.
        return (
            f'<figure class="table" id="{identity}"><div class="scroll" tabindex="0" role="region" '
            f'aria-label="{number}"><table><caption><div>{caption}</div></caption>\n{tables.html(block.frame)}\n'
            "</table></div></figure>"
        )
    content, more, legend, abreast = _figure(block, marks, folder)
    if isinstance(content, list):
        shown = "".join(
            _plot(chart, f"{identity}-{place}", plain(block.caption)) for place, chart in enumerate(content)
        )
        # Names side by side would lie over each other on a small screen: there the strip is drawn wider, and scrolls.
        least = f"; --least: {LEAST_STRIP * len(block.values)}px" if isinstance(block, PerAgent) else ""
        content = f'{_legend(legend)}<div class="plots" style="--abreast: {abreast}{least}">{shown}</div>'
    kind = "wide" if abreast > 1 else "narrow"
    more = f" {more}" if more else ""
    return f'<figure class="{kind}" id="{identity}">{content}<figcaption>{caption}{more}</figcaption></figure>'


def _figure(
    block: Curves | Topology | PerAgent | Histogram | Picture, marks: dict[str, int], folder: Path
) -> tuple[list[charts.Chart] | str, str, dict[str, tuple[str, str]], int]:
    """Returns a figure's charts or HTML, what is added to its caption, its legend, and how many charts lie abreast."""
    if isinstance(block, Curves):
        here = pictures.named(block, marks)
        legend = {name: (name, _line(style.mark(place))) for name, place in here.items()}
        shown = [charts.curves(drawn, marks) for drawn in pictures.drawn(block)]
        return shown, pictures.bands_in_words(block), legend, pictures.abreast(block)
    if isinstance(block, Topology):
        words = letters(facts(block.network).replace("\n", "; ").replace(" = ", "\u00a0=\u00a0") + ".")
        chart = charts.network(block.network)
        return [chart] if chart else f"<p>More than {LARGEST_DRAWN} agents: too large to draw.</p>", words, {}, 1
    if isinstance(block, PerAgent):
        agents = strips(block.values)
        return [charts.strips(agents, marks, block.label)], pictures.strips_in_words(agents), {}, 1
    if isinstance(block, Histogram):
        groups = bins(block.values)
        legend = {
            name: (words, _square(style.mark(place).colour)) for place, (name, words) in enumerate(groups.names.items())
        }
        return [charts.bins(groups, block.label)], "Dashed lines: medians.", legend, 1
    path = folder / block.path
    if not path.is_file():
        raise ValueError(f"there is no picture {block.path} in the report's folder; write it first, or leave it out.")
    kind = "svg+xml" if path.suffix.lower() == ".svg" else "png"
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{html.escape(plain(block.caption))}" src="data:image/{kind};base64,{data}">', "", {}, 1


def _plot(chart: charts.Chart, identity: str, words: str) -> str:
    # "<" would end the script where a name holds "</script>".
    data = json.dumps(chart, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    title = chart["layout"]["title"]["text"]
    name = html.escape(f"{plain(title)}: {words}" if title else words)
    height = chart["layout"]["height"]
    return (
        f'<div class="plot" id="{identity}" role="img" aria-label="{name}" style="height: {height}px">'
        f'<script type="application/json">{data}</script></div>'
    )


def _legend(entries: dict[str, tuple[str, str]]) -> str:
    """Returns buttons that hide and show a method in every panel of a figure."""
    buttons = "".join(
        f'<button type="button" aria-pressed="true" data-method="{html.escape(name)}">'
        f"{swatch}<span>{letters(words)}</span></button>"
        for name, (words, swatch) in entries.items()
    )
    return f'<div class="legend" role="group" aria-label="Shown">{buttons}</div>' if entries else ""


def _line(mark: style.Mark) -> str:
    colour = "currentColor" if mark.colour == "#000000" else mark.colour
    line = f'<path d="M-14 0H14" stroke-width="2" stroke-dasharray="{GAPS[mark.dashes]}"/>'
    drawn = f'fill="{colour}" stroke="{colour}">{line}{SHAPES[mark.marker]}'
    return f'<svg viewBox="-15 -6 30 12" aria-hidden="true" {drawn}</svg>'


def _square(colour: str) -> str:
    colour = "currentColor" if colour == "#000000" else colour
    box = f'<rect x="-6" y="-5" width="12" height="10" fill-opacity="0.3" fill="{colour}" stroke="{colour}"/>'
    return f'<svg viewBox="-8 -6 16 12" aria-hidden="true" class="square">{box}</svg>'
