"""Reports are checked completely, kept in bounded memory, and shown as text."""

import itertools
import json
import tracemalloc
from dataclasses import asdict

import pytest
from rich.console import Console
from small_network import NAMES, RUN, ring, status

from hypergossip.lab.watching import messages, reports, summary, terminal, units
from hypergossip.lab.watching.collector import IMPOSTOR, STRANGER, Collector
from hypergossip.lab.watching.history import History, Sample
from hypergossip.lab.watching.plan_file import WatchedAgent, WatchPlan

NEIGHBOURS = ring(4)
PLAN = WatchPlan(
    RUN, tuple(WatchedAgent(NAMES[i], i, f"tcp/127.0.0.1:{7450 + i}", NEIGHBOURS[i]) for i in range(4)), None, True
)


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def collector(clock):
    """A collector without a session."""
    return Collector(PLAN, clock)


def payload(number=0, **changed):
    return json.dumps(asdict(status(number, NEIGHBOURS[number], **changed))).encode()


def rendered(collector, width=160, height=40, advice=""):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(terminal.screen(collector.view(), advice, width, height))
    return capture.get()


def test_what_agents_report_is_accepted(collector):
    collector.take("0", payload(upper_loss=float("nan"), lower_loss=None, invariant=None))
    (first, second, *_) = collector.view().agents
    assert first.condition == "running"
    assert summary.cells(first)["upper"] == "nan"
    assert summary.cells(first)["lower"] == units.NOTHING
    assert second.condition == "never heard"


MALFORMED = [
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"[" * 60_000,
    b'{"a":' * 9_000,
    payload(round=-1),
    payload(round=2**70),
    payload(state="<b>running</b>"),
    payload(alarm="x" * 1_001),
    payload(name="x" * 101),
    payload(dropped={str(i): 1 for i in range(33)}),
    payload(seconds=float("nan")),
    payload().replace(b'"round": 50', b'"round": "50"'),
    payload().replace(b'"round": 50', b'"round": 50.0'),
    payload().replace(b'"links": [', b'"links": [7, '),
    payload()[:-1],
]


@pytest.mark.parametrize("bad", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_reports_are_counted_and_change_nothing(collector, bad):
    collector.take("0", payload(round=7))
    collector.take("0", bad)
    view = collector.view()
    assert view.refused == {reports.MALFORMED: 1}
    assert view.agents[0].refused == 1
    assert view.agents[0].report is not None
    assert view.agents[0].report.round == 7


def test_oversized_reports_and_those_under_another_name_are_counted(collector):
    collector.take("0", b" " * (reports.MAX_BYTES + 1))
    collector.take("1", payload(0))
    collector.take("0", payload(0, name="rome"))
    for sender in ("4", "-1", "x", "²", "9" * 5_000, ""):
        collector.take(sender, payload(0))
    assert collector.view().refused == {reports.OVERSIZED: 1, IMPOSTOR: 2, STRANGER: 6}
    assert collector.view().heard == 0


def test_a_flood_does_not_fill_memory(collector, clock):
    reason = {"x" * 90 + str(i): 1 for i in range(30)}
    for _ in range(600):
        collector.take("0", payload(0, dropped=reason))
    tracemalloc.start()
    try:
        for place in range(3_000):
            clock.now += 0.5
            collector.take("0", payload(0, round=place, dropped=reason))
            collector.take(str(place + 10), b"{}")
            collector.take("1", b"{}")
        # Other tests' threads may still be running; only what the watchers' own code has allocated counts.
        kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/lab/watching/*")])
    finally:
        tracemalloc.stop()
    assert sum(trace.size for trace in kept.statistics("filename")) < 500_000
    assert len(collector.histories()[0]) <= 513


def test_a_history_is_thinned_out_evenly_and_keeps_its_ends():
    history = History(limit=16)
    for place in range(1_000):
        history.append(Sample(float(place), place, None, None, None, 0, 0, 0))
        assert len(history.rows()) <= 17
    rounds = [row.round for row in history.rows()]
    assert (rounds[0], rounds[-1]) == (0, 999)
    gaps = [b - a for a, b in itertools.pairwise(rounds[:-1])]
    assert len(set(gaps)) == 1
    assert len(rounds) >= 8


def test_silence_and_speed(collector, clock):
    for place in range(10):
        clock.now = 0.5 * place
        collector.take("0", payload(0, round=5 * place))
        collector.take("1", payload(1, round=200, state="finished"))
    assert collector.view().agents[0].rate == pytest.approx(10)
    clock.now += 12
    view = collector.view()
    assert [summary.state(agent) for agent in view.agents] == [
        "silent for 12 s",
        "finished",
        "never heard",
        "never heard",
    ]
    assert view.agents[0].rate is None
    assert not view.ended


def test_the_network_has_ended_when_every_agent_has(collector):
    for number in range(4):
        collector.take(str(number), payload(number, state="failed" if number == 2 else "finished", alarm="no disk"))
    assert collector.view().ended
    assert summary.outcome(collector.view()) == "oslo failed (oslo: no disk)."


def test_the_lines_on_the_whole_network(collector):
    link = {"name": "rome", "number": 1, "open": True, "round": 40, "lag": 10, "weight": 0.2, "received": 90}
    one = json.loads(payload(0, round=50, invariant=-3e-5)) | {"links": [{**link, "missed": 6, "dropped": {"late": 4}}]}
    collector.take("0", json.dumps(one).encode())
    collector.take("1", payload(1, round=40, dropped={"wrong run": 9}))
    text = "\n".join(summary.network_lines(collector.view()))
    assert "2 running, 2 never heard" in text
    assert "rounds 40 (rome) to 50 (paris) of 200" in text
    assert "missed 6" in text
    assert "dropped 13 (9 wrong run, 4 late)" in text
    assert "largest invariant -3.00e-05" in text
    edge = next(edge for edge in summary.edges(PLAN, collector.view()) if (edge.first, edge.second) == (0, 1))
    assert (edge.known, edge.open, edge.lag, edge.lost) == (True, True, 10, 10)
    assert edge.share == pytest.approx(10 / 150)
    assert "at paris: open, rome is 10 rounds behind, 90 received, missed 6, dropped 4 (4 late)" in edge.note
    silent = next(edge for edge in summary.edges(PLAN, collector.view()) if (edge.first, edge.second) == (2, 3))
    assert (silent.known, silent.open) == (False, False)


def test_the_invariant_is_shown_with_its_round_or_as_not_applicable(collector):
    assert "invariant" not in "\n".join(summary.network_lines(collector.view()))
    collector.take("0", payload(0, invariant=None, conserves=True))
    assert "largest invariant –" in "\n".join(terminal.plain(collector.view()))
    collector.take("0", payload(0, invariant=3e-5, invariant_round=4096, conserves=True, alarm="The sum grows."))
    collector.take("1", payload(1, invariant=2e-16, invariant_round=8192))
    lines = terminal.plain(collector.view())
    assert "invariant 3.00e-05; alarm: The sum grows." in lines[0]
    assert "largest invariant 3.00e-05 (after round 4,096)" in lines[-1]
    agent = messages.now(collector)["agents"][0]
    assert agent["cells"]["invariant"] == "3.00e-05"
    assert "invariant 3.00e-05 after round 4,096" in agent["note"]
    for number in range(2):
        collector.take(str(number), payload(number, invariant=None, conserves=False))
    assert "invariant not applicable" in terminal.plain(collector.view())[0]
    assert terminal.plain(collector.view())[-1].endswith("; invariant not applicable")
    assert messages.now(collector)["agents"][0]["cells"]["invariant"] == "not applicable"
    assert "not applicable" in rendered(collector)


def test_reports_of_agents_that_do_not_name_a_round_are_accepted(collector):
    old = json.loads(payload(0)) | {"invariant_round": None}
    del old["conserves"], old["invariant_round"]
    collector.take("0", json.dumps(old).encode())
    assert collector.view().refused == {}
    for changed in ({"invariant_round": -1}, {"invariant_round": 2**32}, {"conserves": "no"}):
        collector.take("0", json.dumps(old | changed).encode())
    assert collector.view().refused == {reports.MALFORMED: 3}


def test_the_table_shows_the_agents(collector):
    for number in range(4):
        collector.take(str(number), payload(number, round=number, alarm="The sum grows." if number == 3 else ""))
    text = rendered(collector)
    for part in ("paris", "running", "3 of 200", "1.5 MB", "rome, vienna", "1.00e-12", "alarm of vienna: The sum"):
        assert part in text
    narrow = rendered(collector, width=60, height=9)
    assert "vienna" in narrow  # the agent with the alarm stays
    assert "not shown: 1 of 4 agents" in narrow
    assert max(map(len, narrow.splitlines())) <= 60


def test_text_from_agents_cannot_command_the_terminal(collector):
    collector.take("0", payload(0, alarm="\x1b[2J\x07 [bold]red[/bold] \u202eover\r\n"))
    text = rendered(collector)
    assert "[bold]red[/bold]" in text
    for character in ("\x1b", "\x07", "\r", "\u202e"):
        assert character not in text + "".join(terminal.plain(collector.view()))


def test_plain_lines_say_what_is_new(collector, clock):
    log = terminal.Log(every=5.0)
    collector.take("0", payload(0))
    assert log.lines(collector.view())[0] == "paris: running"
    clock.now += 1
    collector.take("0", payload(0, round=60))
    assert log.lines(collector.view()) == []
    collector.take("0", payload(0, round=60, alarm="The sum grows."))
    assert log.lines(collector.view()) == ["paris: running; alarm: The sum grows."]
    clock.now += 10
    assert log.lines(collector.view())[0] == "paris: silent for 10 s; alarm: The sum grows."


def test_messages_to_the_page_are_strict_json_on_one_line(collector):
    collector.take("0", payload(0, upper_loss=float("nan"), invariant=float("-inf"), alarm="a\nb</script>"))
    encoded = messages.encoded(messages.now(collector)) + messages.encoded(
        messages.start(collector, dict.fromkeys(range(4), (0.5, 0.5)))
    )
    assert b"\n" not in encoded
    assert b"NaN" not in encoded
    point = messages.now(collector)["agents"][0]["point"]
    assert point[2:] == ["nan", 0.25, "-inf"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500_000, "1.5 MB"), (999_999, "1 MB"), (10**18, "1e+03 PB"), (123_456, "123 kB")],
)
def test_sizes(count, text):
    assert units.size(count) == text


def test_numbers_and_times():
    assert units.number(0.0) == "0"
    assert units.number(-1.5e-9) == "-1.50e-09"
    assert units.number(float("inf")) == "inf"
    assert [units.seconds(v) for v in (12.0, 600.0, 9_000.0)] == ["12 s", "10 min", "2.5 h"]
    assert units.rate(123.4) == "123"
    assert units.reasons({"a": 1, "b": 5, "c": 2}, most=2) == "8 (5 b, 2 c, 1 for other reasons)"
