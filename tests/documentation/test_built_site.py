"""Pages of the built site in a real browser, read from the disk: `make site` builds the site and runs this.

Where the variable CI is set, the screenshots stay in artefacts/ at the root of the project.
"""

import os
from pathlib import Path

import pytest

import headless

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
PAGES = {
    "index.html": (0, 1),  # at least so many formulas, and images
    "methods/diamond.html": (20, 1),
    "methods/slam.html": (15, 1),
    "equations.html": (60, 0),
    "channels.html": (20, 9),
    "hypergradients.html": (15, 1),
    "theory/index.html": (0, 6),
    "experiments/diamond-fig1/index.html": (0, 5),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    assert SITE.is_dir(), "the site is not built: make docs"
    assert headless.chromium(), "Chromium is not installed: apt-get install chromium"
    page = headless.Page(tmp_path_factory.mktemp("profile"), width=1400, height=1500)
    try:
        page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        yield page
    finally:
        page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_its_equations_and_figures_without_a_network(browser, tmp_path: Path, name: str):
    formulas, images = PAGES[name]
    browser.events.clear()
    browser.open(SITE / name)
    sizes = browser.run("[...document.querySelectorAll('math')].map((each) => each.getBoundingClientRect().height)")
    assert len(sizes) >= formulas
    assert all(size > 5 for size in sizes)
    assert "$$" not in browser.run("document.querySelector('article').innerText")
    shown = browser.run("[...document.querySelectorAll('article img')].map((image) => image.naturalWidth)")
    assert len(shown) >= images
    assert all(width > 100 for width in shown)
    sent = [event["params"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    asked = [parameters["request"]["url"] for parameters in sent]
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    folder = ROOT / "artefacts" if os.environ.get("CI") else tmp_path
    browser.screenshot(folder / f"site-{name.replace('/', '-').removesuffix('.html')}.png", whole=False)
