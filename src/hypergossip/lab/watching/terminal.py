"""The network in the terminal: a live table, or plain lines where the output is no terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hypergossip.lab.watching.collector import NEVER, SILENT, NetworkView
from hypergossip.lab.watching.summary import COLUMNS, cells, network_lines, state, trouble

STYLES = {
    "starting": "cyan",
    "running": "blue",
    "waiting": "yellow",
    "finished": "green",
    "failed": "bold red",
    SILENT: "bold red",
    NEVER: "dim",
}
# The alarm has lines of its own below the table. The least important columns are left out first.
SPARE = ("received", "rate", "dropped", "lower", "missed", "sent", "invariant", "neighbours", "upper")
RIGHT = ("round", "rate", "upper", "lower", "sent", "received", "missed", "invariant")
GAP = 2  # characters
NEIGHBOURS = 40  # characters, the most that the column of neighbours takes
FRAME = 6  # lines beside the rows of the table and the alarms


def screen(view: NetworkView, advice: str = "", width: int = 120, height: int = 40) -> RenderableType:
    """Returns the table of all agents with the lines on the whole network.

    The agents in trouble come first where the table has more rows than the window.

    Args:
        view: What is known.
        advice: A sentence below it.
        width: The characters of a line.
        height: The lines of the window.
    """
    alarms = [f"{v.agent.name}: {v.report.alarm}" for v in view.agents if v.report is not None and v.report.alarm]
    shown_alarms = alarms[: max(height // 4, 1)]
    room = max(height - FRAME - len(shown_alarms), 3)
    agents = list(view.agents)
    if len(agents) > room:
        worst = sorted(agents, key=lambda v: (-trouble(v), v.agent.number))[:room]
        agents = sorted(worst, key=lambda v: v.agent.number)
    rows = [cells(agent) for agent in agents]
    chosen = _columns(rows, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", show_edge=False)
    for key in chosen:
        limit = NEIGHBOURS if key == "neighbours" else None
        side = "right" if key in RIGHT else "left"
        table.add_column(COLUMNS[key], justify=side, no_wrap=True, overflow="ellipsis", max_width=limit)
    for agent, row in zip(agents, rows):
        texts = {key: Text(row[key]) for key in chosen}
        texts["state"].stylize(STYLES[agent.condition])
        table.add_row(*texts.values())
    head = [Text(line, no_wrap=True, overflow="ellipsis") for line in network_lines(view)]
    left_out = len(view.agents) - len(agents)
    tail = [Text(f"not shown: {left_out} of {len(view.agents)} agents", style="dim")] if left_out else []
    tail += [Text(f"alarm of {alarm}", style="bold red") for alarm in shown_alarms]
    if len(alarms) > len(shown_alarms):
        tail.append(Text(f"not shown: {len(alarms) - len(shown_alarms)} of {len(alarms)} alarms", style="bold red"))
    tail += [Text(advice, style="yellow")] if advice else []
    return Group(*head, table, *tail)


def _columns(rows: list[dict[str, str]], width: int) -> list[str]:
    """Returns the columns that fit into a line."""
    widths = {key: max([len(title), *(len(row[key]) for row in rows)]) for key, title in COLUMNS.items()}
    widths["neighbours"] = min(widths["neighbours"], NEIGHBOURS)
    chosen = [key for key in COLUMNS if key != "alarm"]
    for key in SPARE:
        if sum(widths[each] + GAP for each in chosen) <= width:
            break
        chosen.remove(key)
    return chosen


def agent_line(row: dict[str, str]) -> str:
    """Returns the table's texts for an agent, as `cells` has them in a `row`, as a line."""
    if row["state"] == NEVER:
        return f"{row['agent']}: {NEVER}"
    parts = [f"{row['agent']}: {row['state']}", f"round {row['round']}", f"{row['rate']} rounds/s"]
    parts += [f"upper loss {row['upper']}", f"lower loss {row['lower']}"]
    parts += [f"sent {row['sent']}", f"received {row['received']}", f"neighbours {row['neighbours']}"]
    parts += [f"missed {row['missed']}", f"dropped {row['dropped']}", f"invariant {row['invariant']}"]
    return ", ".join(parts) + (f"; alarm: {row['alarm']}" if row["alarm"] else "")


def plain(view: NetworkView) -> list[str]:
    """Returns everything in a `view` as lines: one for each agent, then those on the whole network."""
    return [*(agent_line(cells(agent)) for agent in view.agents), *network_lines(view)]


class Log:
    """Plain lines over time: an agent's when its state or alarm changes, the network's now and then.

    Args:
        every: The seconds between two lines on the whole network.
    """

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._last: dict[int, tuple[str, str]] = {}
        self._time = float("-inf")
        self._before: list[str] = []

    def lines(self, view: NetworkView) -> list[str]:
        """Returns what is new in a `view`."""
        new = []
        for agent in view.agents:
            alarm = "" if agent.report is None else agent.report.alarm
            now = (agent.condition, alarm)
            if self._last.get(agent.agent.number, (NEVER, "")) != now:
                self._last[agent.agent.number] = now
                new.append(f"{agent.agent.name}: {state(agent)}{f'; alarm: {alarm}' if alarm else ''}")
        whole = network_lines(view)
        if whole != self._before and view.time - self._time >= self._every:
            self._time, self._before = view.time, whole
            new += whole
        return new
