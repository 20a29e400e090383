"""What the terminal and the page show: the columns of the table, the lines on the whole network, and the edges."""

from collections import Counter
from typing import NamedTuple

from hypergossip.lab.watching import units
from hypergossip.lab.watching.collector import NEVER, SILENT, AgentView, NetworkView
from hypergossip.lab.watching.plan_file import WatchPlan
from hypergossip.lab.watching.reports import LinkReport, Report, dropped, missed

# Key -> title, in the table's order.
COLUMNS = {
    "agent": "agent",
    "state": "state",
    "round": "round",
    "rate": "rounds/s",
    "upper": "upper loss",
    "lower": "lower loss",
    "sent": "sent",
    "received": "received",
    "neighbours": "neighbours",
    "missed": "missed",
    "dropped": "dropped",
    "invariant": "invariant",
    "alarm": "alarm",
}
NAMED_LINKS = 4
NOT_APPLICABLE = "not applicable"


class EdgeView(NamedTuple):
    """A pair of neighbours, as both ends report it.

    Attributes:
        first: The smaller number.
        second: The larger number.
        known: Whether one of the two has reported on it.
        open: Whether no end that reports holds it for closed.
        lag: The larger of the two lags, in rounds.
        lost: The messages missed or dropped, over both directions.
        share: Their share of all messages.
        note: All this in words.
    """

    first: int
    second: int
    known: bool
    open: bool
    lag: int
    lost: int
    share: float
    note: str


def state(view: AgentView) -> str:
    """Returns an agent's state in words, from its `view`."""
    if view.condition == SILENT and view.age is not None:
        return f"silent for {units.seconds(view.age)}"
    return view.condition


def link_text(link: LinkReport) -> str:
    """Returns the neighbour of a `link`, with its lag."""
    if not link.open:
        return f"{link.name} (closed)"
    return f"{link.name} ({link.lag} behind)" if link.lag > 0 else link.name


def _neighbours(links: list[LinkReport]) -> str:
    if len(links) <= NAMED_LINKS:
        return ", ".join(map(link_text, links)) or units.NOTHING
    worst = sorted(links, key=lambda link: (link.open, -link.lag))[: NAMED_LINKS - 1]
    return f"{', '.join(map(link_text, worst))} and {len(links) - len(worst)} more"


def cells(view: AgentView) -> dict[str, str]:
    """Returns the table's texts for an agent, by column, from its `view`."""
    report = view.report
    if report is None:
        return {**dict.fromkeys(COLUMNS, units.NOTHING), "agent": view.agent.name, "state": NEVER, "alarm": ""}
    return {
        "agent": view.agent.name,
        "state": state(view),
        "round": f"{report.round:,} of {report.rounds:,}",
        "rate": units.rate(view.rate),
        "upper": units.number(report.upper_loss),
        "lower": units.number(report.lower_loss),
        "sent": units.size(report.bytes_sent),
        "received": units.size(report.bytes_received),
        "neighbours": _neighbours(report.links),
        "missed": f"{missed(report):,}",
        "dropped": units.reasons(dropped(report), most=2),
        "invariant": NOT_APPLICABLE if report.conserves is False else units.number(report.invariant),
        "alarm": report.alarm,
    }


def trouble(view: AgentView) -> int:
    """Returns how urgent a `view` of an agent is: 0 for none; the larger, the more."""
    if view.report is None or view.condition in (SILENT, "failed"):
        return 3
    return 2 if view.report.alarm else int(any(not link.open for link in view.report.links))


def network_lines(view: NetworkView) -> list[str]:
    """Returns what is to be said of the whole network, from its `view`: one or two lines."""
    heard = [(a, a.report) for a in view.agents if a.report is not None]
    count = Counter(agent.condition for agent in view.agents)
    states = ", ".join(f"{number} {condition}" for condition, number in count.most_common())
    lines = [f"{len(view.agents)} agents: {states}"]
    if not heard:
        return lines
    (slow, low), (fast, high) = (f(heard, key=lambda pair: pair[1].round) for f in (min, max))
    parts = [f"rounds {low.round:,} ({slow.agent.name}) to {high.round:,} ({fast.agent.name}) of {high.rounds:,}"]
    if low.round == high.round:
        parts = [f"round {high.round:,} of {high.rounds:,}"]
    parts.append(f"missed {sum(missed(report) for _, report in heard):,}")
    parts.append(f"dropped {units.reasons(dict(sum((Counter(dropped(r)) for _, r in heard), Counter())))}")
    parts.append(_invariant([report for _, report in heard]))
    if view.refused:
        parts.append(f"reports refused {units.reasons(view.refused)}")
    return [*lines, "; ".join(parts)]


def _invariant(reports: list[Report]) -> str:
    if all(report.conserves is False for report in reports):
        return f"invariant {NOT_APPLICABLE}"
    # A conserved sum that is no number is the worst of all.
    size = lambda r: float("inf") if r.invariant != r.invariant else abs(r.invariant)
    worst = max((r for r in reports if r.invariant is not None), key=size, default=None)
    if worst is None:
        return f"largest invariant {units.NOTHING}"
    after = "" if worst.invariant_round is None else f" (after round {worst.invariant_round:,})"
    return f"largest invariant {units.number(worst.invariant)}{after}"


def outcome(view: NetworkView) -> str:
    """Returns the agents that failed as a sentence, from the `view` of a network that has ended, or ""."""
    failed = [agent for agent in view.agents if agent.condition == "failed"]
    notes = [f"{a.agent.name}: {a.report.alarm}" for a in failed if a.report is not None and a.report.alarm]
    why = f" ({'; '.join(notes)})" if notes else ""
    return f"{', '.join(a.agent.name for a in failed)} failed{why}." if failed else ""


def edges(plan: WatchPlan, view: NetworkView) -> list[EdgeView]:
    """Returns every pair of neighbours of a `plan`, as the reports in a `view` describe it."""
    reports = {agent.agent.number: agent for agent in view.agents}
    names = {agent.number: agent.name for agent in plan.agents}
    found = []
    for first, second in plan.edges():
        sides: list[LinkReport] = []
        texts = []
        for own, other in ((first, second), (second, first)):
            report = reports[own].report
            link = None if report is None else next((each for each in report.links if each.number == other), None)
            if link is None:
                texts.append(f"{names[own]} has not reported on it")
                continue
            if reports[own].condition != SILENT:
                sides.append(link)
            lost = link.missed + sum(link.dropped.values())
            behind = f"{names[other]} is {max(link.lag, 0)} rounds behind"
            drops = f"dropped {units.reasons(dict(link.dropped))}"
            texts.append(
                f"at {names[own]}: {'open' if link.open else 'closed'}, {behind}, {link.received:,} received, "
                f"missed {link.missed:,}, {drops if lost else 'none dropped'}"
            )
        lost = sum(link.missed + sum(link.dropped.values()) for link in sides)
        total = lost + sum(link.received for link in sides)
        lag = max((link.lag for link in sides), default=0)
        silent = any(reports[i].condition in (SILENT, NEVER, "failed") for i in (first, second))
        is_open = all(link.open for link in sides) and not silent
        note = f"{names[first]} – {names[second]}: {'; '.join(texts)}"
        share = lost / total if total else 0.0
        found.append(EdgeView(first, second, bool(sides), is_open, max(lag, 0), lost, share, note))
    return found
