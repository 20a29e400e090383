"""The HTML page as a reader has it: drawn, pointed at and clicked in Chromium without a window.

Where the variable CI is set, the screenshots stay in artefacts/ at the root of the project.
"""

import io
import os
from pathlib import Path

import headless
import numpy as np
import pytest
import telling
from matplotlib.image import imsave

from hypergossip.lab.report import html_page

# One browser for the file, and time for a slow machine to start it.
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(headless.chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
]
DRAWN = "document.documentElement.classList.contains('drawn')"
STILL = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
GAP = "\u200b"  # what Plotly writes about an index
CURVES = [f"#block-3-{place}" for place in range(3)]


@pytest.fixture(scope="module")
def page(make, tmp_path_factory):
    """The story's page, open; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("report")
    histories = {name: make(scale=3.0 * 4**place, test_accuracy=0.8) for place, name in enumerate(("A", "B", "C"))}
    (folder / telling.PICTURE).write_bytes(_white_square())
    path = html_page.write(telling.story(histories), folder)
    page = headless.Page(tmp_path_factory.mktemp("profile"))
    try:
        page.open(path)
        page.wait(lambda: page.run(DRAWN))
        yield page
    finally:
        page.close()


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """Where screenshots go."""
    return Path(__file__).parents[2] / "artefacts" if os.environ.get("CI") else tmp_path_factory.mktemp("artefacts")


def _white_square() -> bytes:
    file = io.BytesIO()
    imsave(file, np.ones((40, 40, 3)), format="png", metadata={"Software": None})
    return file.getvalue()


def lines(page: headless.Page, plot: str) -> int:
    """How many lines are seen in a plot: the traces that bear one, bands apart."""
    width = "parseFloat(getComputedStyle(line).strokeWidth) > 1"
    return page.run(f"[...document.querySelectorAll('{plot} .scatterlayer .js-line')].filter((line) => {width}).length")


def hovered(page: headless.Page, plot: str) -> str:
    return page.run(f"document.querySelector('{plot} .hoverlayer').textContent")


def test_every_plot_is_drawn(page):
    assert page.run("document.querySelectorAll('.plot').length") == 6
    assert page.run("document.querySelectorAll('.plot .main-svg .scatterlayer').length") == 6
    assert [lines(page, plot) for plot in CURVES] == [3, 3, 3]
    for plot in CURVES:
        assert page.run(f"document.querySelectorAll('{plot} .scatterlayer .js-fill').length") >= 3
        assert page.run(f"document.querySelectorAll('{plot} .scatterlayer .point').length") >= 3 * 5
    assert page.run("document.querySelectorAll('#block-4-0 .textpoint').length") == telling.NETWORK.agents
    assert page.run("document.querySelector('#block-3-0 .ytitle').textContent").replace(GAP, "") == "metric Mt"
    assert page.run("document.querySelector('img').naturalWidth") == 40


def test_a_click_in_the_legend_hides_a_method_in_every_panel_of_its_figure(page):
    button = "#block-3 .legend button[data-method='B']"
    page.click(button)
    page.wait(lambda: [lines(page, plot) for plot in CURVES] == [2, 2, 2])
    assert page.run(f"document.querySelector(\"{button}\").getAttribute('aria-pressed')") == "false"
    assert page.run("document.querySelectorAll('#block-6 [aria-pressed=true]').length") == 2
    page.click(button)
    page.wait(lambda: [lines(page, plot) for plot in CURVES] == [3, 3, 3])
    assert page.run("document.querySelectorAll('.legend [aria-pressed=false]').length") == 0


def test_a_double_click_shows_a_method_alone_and_another_all(page):
    button = "#block-3 .legend button[data-method='C']"
    twice = f"document.querySelector(\"{button}\").dispatchEvent(new MouseEvent('dblclick'))"
    page.run(twice)
    page.wait(lambda: [lines(page, plot) for plot in CURVES] == [1, 1, 1])
    page.run(twice)
    page.wait(lambda: [lines(page, plot) for plot in CURVES] == [3, 3, 3])


def test_pointing_at_a_curve_tells_every_method_at_that_round(page):
    x, y = page.middle("#block-3-0 .nsewdrag")
    page.mouse("mouseMoved", x - 5, y)
    page.mouse("mouseMoved", x, y)
    told = page.wait(lambda: hovered(page, "#block-3-0"))
    assert told.startswith("round 50")
    at = 3 * 2.0**-5  # the median of the seeds of A in round 50 is three times this
    assert f"A : {3 * at:.3f} ({at:#.3g} to {5 * at:.3f})" in told
    assert told.index("A :") < told.index("B :") < told.index("C :")
    page.mouse("mouseMoved", 1, 1)


def test_pointing_at_an_edge_tells_its_weight(page):
    page.middle("#block-4-0")
    x, y = page.run(
        """(() => {
            const place = document.querySelector("#block-4-0"), layout = place._fullLayout;
            const box = place.querySelector(".nsewdrag").getBoundingClientRect();
            const told = place.data.find((trace) => (trace.hovertext ?? [""])[0].startsWith("agents"));
            return [box.x + layout.xaxis.l2p(told.x[0]), box.y + layout.yaxis.l2p(told.y[0])];
        })()"""
    )
    page.mouse("mouseMoved", x + 3, y + 3)
    page.mouse("mouseMoved", x, y)
    assert page.wait(lambda: hovered(page, "#block-4-0")) == "agents 0 and 1: weight 0.3333"
    page.mouse("mouseMoved", 1, 1)


def test_what_is_zoomed_into_has_ticks_of_its_own(page):
    ticks = "[...document.querySelectorAll('#block-3-0 .ytick text')].map((tick) => tick.textContent).join(' ')"
    zoom = lambda ends: page.run(f"Plotly.relayout('block-3-0', {{'yaxis.range': {ends}}}).then(() => true)")
    mode = "document.querySelector('#block-3-0').layout.yaxis.tickmode"
    before, whole = page.run(ticks), page.run("[...document.querySelector('#block-3-0').layout.yaxis.range]")
    assert before.replace(GAP, "").startswith("10−2 10−1 100")
    zoom([0.1, 0.5])
    page.wait(lambda: page.run(mode) == "auto")
    assert len(page.run(ticks).split()) >= 2
    zoom(whole)
    page.wait(lambda: page.run(mode) == "array")
    assert page.run(ticks) == before


def test_the_page_follows_the_reader_s_scheme_and_screen(page, artefacts, sized):
    colour = "getComputedStyle(document.body).backgroundColor"
    fill = "getComputedStyle(document.querySelector('#block-3-0 .xtick text')).fill"
    light = page.run(colour), page.run(fill)
    assert sized(page.screenshot(artefacts / "report.png"))[0] == 1280
    page.prefer(color_scheme="dark")
    page.wait(lambda: page.run(colour) != light[0] and page.run(fill) != light[1])
    page.run(STILL)
    page.screenshot(artefacts / "report-dark.png")
    page.prefer(color_scheme="light")
    page.wait(lambda: (page.run(colour), page.run(fill)) == light)
    width = "document.querySelector('#block-3-0 .main-svg').getBoundingClientRect().width"
    wide = page.run(width)
    page.resize(390, 800)
    page.wait(lambda: page.run(width) not in (wide, 0))
    assert page.run("document.documentElement.scrollWidth") <= 390
    page.screenshot(artefacts / "report-phone.png")
    page.resize(1280, 900)
    page.wait(lambda: page.run(width) == wide)


def test_a_sheet_is_printed_light_and_as_wide_as_it_is(page, artefacts):
    page.prefer(color_scheme="dark")
    page.run("addEventListener('afterprint', () => { window.printed = true; })")
    assert page.pdf(artefacts / "report.pdf").read_bytes().startswith(b"%PDF")
    page.wait(lambda: page.run("window.printed && !document.documentElement.classList.contains('printing')"))
    page.prefer(color_scheme="light")
    page.run(STILL)


def test_nothing_was_asked_of_any_network_and_nothing_failed(page):
    asked = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert not [e for e in page.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert not [e for e in page.events if e["method"] == "Runtime.consoleAPICalled" and e["params"]["type"] == "error"]


def test_a_page_that_did_ask_would_be_refused_and_seen(histories, tmp_path):
    (tmp_path / telling.PICTURE).write_bytes(_white_square())
    page = html_page.page(telling.story(histories), tmp_path, "window.Plotly = {};")
    (tmp_path / "a.html").write_text(page.replace("<main>", "<main><img src='http://127.0.0.1:9/a.png'>"))
    browser = headless.Page(tmp_path / "profile")
    try:
        browser.open(tmp_path / "a.html")
        told = lambda: [e["params"]["entry"]["text"] for e in browser.events if e["method"] == "Log.entryAdded"]
        browser.wait(lambda: browser.run("1") and told())
        assert any("Content Security Policy" in text for text in told())
        assert any(event["method"] == "Runtime.exceptionThrown" for event in browser.events)  # no Plotly in it
    finally:
        browser.close()
