"""The HTML page in a real browser: Chromium without a window.

Where the variable CI is set, the screenshots stay in artefacts/ at the root of the project.
"""

import io

import numpy as np
import pytest
import sample_document
from matplotlib.image import imsave

import headless
from hypergossip.lab.report import html_page

# One browser for the file, and time for a slow machine to start it.
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(headless.chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
]
FIGURES = "[...document.querySelectorAll('figure > img')]"


@pytest.fixture(scope="module")
def written(make, tmp_path_factory):
    """The path of a page with every kind of block."""
    folder = tmp_path_factory.mktemp("report")
    file = io.BytesIO()
    imsave(file, np.ones((40, 40, 3)), format="png", metadata={"Software": None})
    (folder / sample_document.PICTURE).write_bytes(file.getvalue())
    histories = {name: make(scale=3.0 * 4**place, test_accuracy=0.8) for place, name in enumerate(("A", "B", "C"))}
    return html_page.write(sample_document.document(histories), folder)


@pytest.fixture(scope="module")
def page(written, tmp_path_factory):
    """The open page; every test leaves it as it was."""
    page = headless.Page(tmp_path_factory.mktemp("profile"))
    try:
        page.open(written)
        yield page
    finally:
        page.close()


def test_figures_and_tables_are_shown(page):
    sizes = page.run(f"{FIGURES}.map((image) => image.complete ? image.naturalWidth : 0)")
    assert len(sizes) == 5
    assert all(size > 200 for size in sizes[:4])
    assert sizes[4] == 40
    assert all(page.run(f"{FIGURES}.map((image) => image.getBoundingClientRect().width > 30 && image.alt !== '')"))
    assert page.run("document.querySelector('table').getBoundingClientRect().height") > 50
    assert page.run("document.querySelector('header li').innerText") == "first Mt"


def test_the_page_follows_the_colour_scheme_and_fits_a_small_screen(page, artefacts, sized):
    scheme = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.querySelector('img')).filter"
    light = page.run(scheme)
    assert sized(page.screenshot(artefacts / "report.png"))[0] == 1280
    page.prefer(color_scheme="dark")
    page.wait(lambda: page.run(scheme) != light)
    page.screenshot(artefacts / "report-dark.png")
    page.prefer(color_scheme="light")
    page.resize(390, 800)
    page.wait(lambda: page.run("innerWidth") == 390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    page.screenshot(artefacts / "report-phone.png")
    page.resize(1280, 900)


def test_the_page_can_be_printed(page, artefacts):
    assert page.pdf(artefacts / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_page_makes_no_requests_and_has_no_errors(page):
    requests = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert len([url for url in requests if url.startswith("file:")]) == 1
    assert not [event for event in page.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]


def test_the_browser_refuses_requests_and_scripts_of_the_page(written, tmp_path):
    hostile = "<main><img src='http://127.0.0.1:9/a.png'><script>document.title = 'run'</script>"
    (tmp_path / "a.html").write_text(written.read_text().replace("<main>", hostile))
    browser = headless.Page(tmp_path / "profile")
    try:
        browser.open(tmp_path / "a.html")
        messages = lambda: [e["params"]["entry"]["text"] for e in browser.events if e["method"] == "Log.entryAdded"]
        browser.wait(lambda: browser.run("1") and len(messages()) >= 2)
        assert all("Content Security Policy" in text for text in messages())
        assert browser.run("document.title") != "run"
    finally:
        browser.close()
