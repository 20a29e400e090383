"""The page in a real browser, with agents that report over real sessions: Chromium without a window.

Where the variable CI is set, the screenshots stay in artefacts/ at the root of the project.
"""

import threading
import time

import pytest
from small_network import NAMES, RUN, Agents

import headless
from hypergossip.lab.watching import collector as collecting
from hypergossip.lab.watching import plan_file
from hypergossip.lab.watching.collector import Collector
from hypergossip.lab.watching.server import PageServer
from hypergossip.peers.agent_settings import LinkStatus

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(headless.chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
]
AGENTS = 9
HOSTILE = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    with Agents(tmp_path_factory.mktemp("network"), AGENTS) as running:
        yield running


@pytest.fixture(scope="module")
def server(agents):
    with Collector(plan_file.read(agents.config)) as collector, PageServer(collector) as server:
        yield server


@pytest.fixture(scope="module")
def page(agents, server, tmp_path_factory):
    """The open page, after all agents but the last have reported a few times."""
    page = headless.Page(tmp_path_factory.mktemp("profile"), 1280, 800)
    try:
        page.call("Page.navigate", url=server.address)
        page.wait(lambda: page.run("document.querySelectorAll('#network .node').length") == AGENTS)
        report(agents, range(1, 4))
        yield page
    finally:
        page.close()


def report(agents, ticks, **changed):
    """Lets all agents but the last report in the given moments; rome has an alarm, and vienna lags behind oslo."""
    for tick in ticks:
        for number in range(AGENTS - 1):
            links = [
                LinkStatus(NAMES[j], j, True, 10 * tick, 7 if {number, j} == {2, 3} else 0, 0.25, 90, 10 * (j == 3), {})
                for j in agents.neighbours[number]
            ]
            losses = {"upper_loss": 0.9**tick + 0.01 * number, "lower_loss": 0.5**tick, "invariant": 1e-13 * tick}
            special = {"state": "failed"} if number == 5 else {"alarm": HOSTILE} if number == 1 else {}
            one = {"round": 10 * tick, "links": tuple(links), **losses, **special, **changed}
            agents.report(agents.status(number, **one))
        time.sleep(0.3)


def row(page, number, column):
    return page.run(f"document.querySelector('tr[data-agent=\"{number}\"] .{column}').innerText")


def test_agents_and_edges_are_drawn_and_named(page, agents):
    edges = sum(map(len, agents.neighbours)) // 2
    assert page.run("document.querySelectorAll('#network g.edge[role=img]').length") == edges
    page.wait(lambda: page.run("document.querySelectorAll('#network .node.running').length") == AGENTS - 2)
    circles = "[...document.querySelectorAll('#network .node .body')].map((n) => n.getBoundingClientRect())"
    places = page.run(f"{circles}.map((r) => [r.x, r.y])")
    assert len({tuple(place) for place in places}) == AGENTS
    assert page.run("document.querySelector('#network .node.failed .symbol').textContent") == "×"
    assert page.run("document.querySelectorAll('#network .node.never').length") == 1
    note = page.run("document.querySelector('#network .node[data-agent=\"0\"] title').textContent")
    assert "paris: running, round 30 of 200, policy deadline" in note
    assert page.run("document.querySelector('#network .node[data-agent=\"0\"]').getAttribute('aria-label')") == note
    assert page.run("document.getElementById('run').innerText") == RUN


def test_an_edge_shows_lag_and_lost_messages(page):
    page.wait(lambda: page.run("document.querySelectorAll('#network .edge .line.lag5').length") == 1)
    late = "document.querySelector('#network .edge:has(.line.lag5)')"
    assert "vienna is 7 rounds behind" in page.run(f"{late}.querySelector('title').textContent")
    width = "parseFloat(getComputedStyle(document.querySelector('.line{}')).strokeWidth)"
    assert page.run(width.format(".lag5")) > page.run(width.format(".lag0:not(.closed)")) + 1
    assert page.run("[...document.querySelectorAll('#network .edge tspan')].some((t) => t.textContent === '7 behind')")
    closed = page.run("getComputedStyle(document.querySelector('#network .edge .line.closed')).strokeDasharray")
    assert closed != "none"


def test_values_and_curves_grow(page, agents):
    length = "document.querySelector('#upper .curve').getAttribute('d').length"
    before, first = page.run(length), row(page, 0, "round")
    report(agents, range(4, 9))
    page.wait(lambda: row(page, 0, "round") == "80 of 200")
    assert first != "80 of 200"
    page.wait(lambda: page.run(length) > before)
    assert row(page, 0, "upper") == "0.4305"
    assert "(logarithmic)" in page.run("document.querySelector('#upper').parentNode.innerText")
    assert "Upper loss of 8 agents, now from 0.43" in page.run(
        "document.getElementById('upper').getAttribute('aria-label')"
    )
    page.run("document.querySelector('input[value=round]').click()")
    assert "over rounds" in page.run("document.querySelector('#upper').parentNode.innerText")
    page.run("document.querySelector('input[value=time]').click()")


def test_an_agent_is_singled_out_under_the_pointer_and_by_the_keyboard(page):
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    page.run("document.querySelector('#network .node[data-agent=\"2\"]').focus()")
    assert page.run("document.querySelectorAll('#upper .curve.chosen').length") == 1
    assert page.run("document.querySelector('tr.chosen').dataset.agent") == "2"
    page.run("document.activeElement.blur()")
    assert page.run("document.querySelectorAll('.chosen').length") == 0


def test_text_of_agents_is_shown_as_text(page):
    page.wait(lambda: HOSTILE in page.run("document.getElementById('alarms').innerText"))
    assert HOSTILE in row(page, 1, "alarm").replace("\n", "")
    assert page.run("document.querySelectorAll('script').length") == 1
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.title") == f"hypergossip watch: {RUN[:8]}"


def test_the_browser_refuses_text_as_html(page):
    seen = len(page.events)
    assert page.run(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (e) { return e.name; } })()"
    )
    assert page.run("document.querySelectorAll('b').length") == 0
    page.run("1")
    del page.events[seen:]  # the refusal is in the log


def test_it_follows_the_colour_scheme_and_fits_every_screen(page, artefacts):
    page.resize(1280, 800)
    page.screenshot(artefacts / "watch.png")
    assert page.run("document.documentElement.scrollWidth") <= 1280
    assert page.run("document.querySelector('.charts').getBoundingClientRect().bottom") < 800
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.run(colour)
    page.prefer(color_scheme="dark")
    page.wait(lambda: page.run(colour) != light)
    page.screenshot(artefacts / "watch-dark.png")
    page.prefer(color_scheme="light")
    page.resize(390, 800)
    page.wait(lambda: page.run("innerWidth") == 390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    size = "parseFloat(getComputedStyle(document.querySelector('td')).fontSize)"
    assert page.run(size) >= 12
    page.screenshot(artefacts / "watch-phone.png")
    page.resize(1280, 800)


def test_a_page_that_is_not_seen_holds_no_connection(page):
    streams = lambda: [t for t in threading.enumerate() if "process_request" in t.name]
    page.wait(lambda: len(streams()) == 1)
    page.run("Object.defineProperty(document, 'hidden', { value: true, configurable: true }), 0")
    page.run("document.dispatchEvent(new Event('visibilitychange')), 0")
    page.wait(lambda: len(streams()) == 0)
    page.run("delete document.hidden, document.dispatchEvent(new Event('visibilitychange')), 0")
    page.wait(lambda: len(streams()) == 1)
    page.wait(lambda: row(page, 0, "round") == "80 of 200")


def test_silent_agents_are_shown_as_such(page):
    page.wait(lambda: page.run("document.querySelectorAll('#network .node.silent').length") == AGENTS - 2)
    assert row(page, 0, "state").startswith("silent for")
    assert collecting.SILENT_AFTER < 5


def test_no_requests_elsewhere_and_no_errors(page, server):
    requests = [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    assert requests
    assert all(url.startswith(server.address) for url in requests)
    assert not [event for event in page.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]


def test_the_end_of_the_watch_is_said(page, server):
    assert page.run("document.getElementById('notice').hidden")
    server.__exit__(None, None, None)
    page.wait(lambda: "does not answer any more" in page.run("document.getElementById('notice').innerText"))
