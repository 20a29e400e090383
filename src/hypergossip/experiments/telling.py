"""From the records of an experiment to its report."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from hypergossip.configuration import Raw
from hypergossip.experiments.findings import Finding, Histories, findings, words
from hypergossip.experiments.reproduce import FIGURE, FIGURES, HISTORY, TIMING, TUNING, Record
from hypergossip.experiments.reproduction import Reproduction
from hypergossip.experiments.stages import Tuned
from hypergossip.report.histories import RETURN, errors, leading, rounds_shown
from hypergossip.report.story import (
    Block,
    Code,
    Curves,
    Heading,
    Histogram,
    Panel,
    PerAgent,
    Picture,
    Story,
    Table,
    Text,
    Topology,
)
from hypergossip.report.tables import summary
from hypergossip.toml_text import write_toml

PARTS = ("stationarity", "consensus_error", "lower_error")
MACHINE_OPTIONS = ("data_dir",)  # say where, not what


def tell(
    experiment: Reproduction,
    records: list[Record],
    quick: bool,
    machine: str,
    played: Mapping[str, Picture] | None = None,
) -> Story:
    """Returns the report: what the paper says, what was run, and where they differ.

    Args:
        experiment: The experiment.
        records: Of its cases.
        quick: Was it a quick run?
        machine: The machine and the versions in words.
        played: Name of a case of a game -> a picture of an episode, in the folder already.
    """
    histories = {record.case.name: record.outcome.histories for record in records}
    measured = findings(experiment, histories)
    blocks: list[Block] = [_first_figure(experiment, records)]
    blocks += [Heading("What the paper says"), Text(f"{experiment.source}. {experiment.paper}")]
    blocks += [Heading("What was run"), Text(experiment.choices), Text(_amounts(experiment, records, quick))]
    if measured:
        blocks += [Heading("Where they differ"), Table(_table(measured), _of_findings(measured, records))]
    if any(record.stated for record in records):
        blocks += [Heading("The stated steps"), Text(STATED_WORDS), Table(_stated(records), STATED_CAPTION)]
    if any(record.tunings for record in records):
        blocks += [Heading("Tuning"), Text(_tuning_words(experiment, records))]
        blocks += [Table(_steps(records), "The best steps of every method, by the median over the tuning's seeds.")]
    for record in records:
        blocks += _of_case(experiment, record)
        blocks += [picture for name, picture in (played or {}).items() if name == record.case.name]
    blocks += [Heading("The time it took"), Table(_times(records), f"Wall time in seconds, on {machine}.")]
    blocks += [Text(f"Every number: [{HISTORY}]({HISTORY}), [{TIMING}]({TIMING}), [{TUNING}]({TUNING}).")]
    blocks += [Heading("Configuration"), Text("Each is a file for `hypergossip compare --config` as it stands.")]
    blocks += [Code(_configuration(record), "toml", record.case.title) for record in records]
    return Story(f"{experiment.name}: {experiment.title}", _summary(measured, records, quick), tuple(blocks))


STATED_WORDS = (
    "The steps that the paper prints, run as printed: one seed, as many rounds as the tuned methods. A method whose "
    "numbers are no longer finite is stopped."
)
STATED_CAPTION = "What became of the stated steps."


def _first_figure(experiment: Reproduction, records: list[Record]) -> Curves:
    """The paper's figure: the compared column against rounds and against samples."""
    column = experiment.compared
    talks = rounds_shown(history for record in records for history in record.outcome.histories.values())
    axes = ("samples", talks) if experiment.draws else (talks, "samples")
    panels = []
    if experiment.alike is None:
        for record in records:
            shown = record.outcome.histories
            panels += [Panel(shown, column, against, record.case.title) for against in axes if shown]
    else:
        by_name = {record.case.name: record for record in records}
        for group, cases in experiment.groups().items():
            for label in experiment.methods or experiment.stated:
                lines = {
                    case.title: by_name[case.name].outcome.histories[label]
                    for case in cases
                    if label in by_name[case.name].outcome.histories
                }
                panels += [Panel(lines, column, against, f"{label}, {group}") for against in axes if lines]
    title = experiment.title[0].upper() + experiment.title[1:]
    return Curves(tuple(panels), f"{title}, as in {experiment.source}.{_rounds_in_words(talks)}", FIGURE)


def _rounds_in_words(talks: str) -> str:
    """What a communication round is, where a method has several of them in a round of its own."""
    if talks == "round":
        return ""
    return " A communication round is one message to every neighbour; a method that has several in a round counts all."


def _summary(measured: list[Finding], records: list[Record], quick: bool) -> str:
    lines = ["**A quick run**, to see that everything works: far too short to judge any method by."] if quick else []
    lines += [f"{sum(one.met for one in measured)} of {len(measured)} claims are met."] if measured else []
    lines += ["\n".join(f"- **{one.case}**: {one.claim}. {_verdict(one)}" for one in measured)]
    failed = {f"{label} in {record.case.title}" for record in records for label in record.outcome.failures}
    if failed:
        lines.append(f"Without a result, as every usable step diverged: {', '.join(sorted(failed))}.")
    return "\n\n".join(filter(None, lines))


def _verdict(one: Finding) -> str:
    return f"Measured: {_ratio(one)}{'.' if one.met else ', **not met**.'}"


def _ratio(one: Finding) -> str:
    interval = "" if np.isnan(one.low) else f" [{one.low:.3g}, {one.high:.3g}]"
    return f"{one.ratio:.3g}{interval}"


def _table(measured: list[Finding]) -> pd.DataFrame:
    rows = [(one.case, one.claim, _ratio(one), "yes" if one.met else "no") for one in measured]
    named = f"measured {' or '.join(_measures(measured))}"
    return pd.DataFrame(rows, columns=["case", "claim", named, "met"]).set_index("case")


def _of_findings(measured: list[Finding], records: list[Record]) -> str:
    seeds = records[0].raw["run"]["seeds"]
    kinds = " or ".join(f"{measure}s" for measure in _measures(measured)).capitalize()
    return (
        f"{kinds} of medians over {seeds} seeds; in brackets 95 % of them with the seeds drawn anew, with replacement."
    )


def _measures(measured: list[Finding]) -> list[str]:
    return list(dict.fromkeys(one.measure for one in measured))


def _amounts(experiment: Reproduction, records: list[Record], quick: bool) -> str:
    run = records[0].raw["run"]
    first, seeds = run.get("seed", 0), run["seeds"]
    which = f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}"
    text = f"{_rounds(experiment, records)}, {which}, all by one compiled program."
    if experiment.methods:
        plan = records[0].raw["tune"]
        start, rounds = plan.get("seed", 1_000_000), plan.get("rounds", run["rounds"])
        text += (
            f" Steps were tuned on {_count(plan['seeds'], 'other seed')} (from {start} on), over "
            f"{'as many' if experiment.draws and rounds == run['rounds'] else rounds} rounds, "
            f"by {_score(plan)} averaged at 80, 90 and 100 % of them."
        )
    if quick and experiment.quick:
        shorter = ", ".join(f"`{key}` = {value}" for key, value in experiment.quick.items())
        text += f" This being a quick run, other numbers than those above: {shorter}."
    return text


def _rounds(experiment: Reproduction, records: list[Record]) -> str:
    """How long the methods ran, where they draw unlike many samples a round in samples first."""
    rounds = records[0].raw["run"]["rounds"]
    if not experiment.draws:
        return f"{rounds} rounds"
    histories = [history for record in records for history in record.outcome.histories.values()]
    game = any(RETURN in history for history in histories)
    verb, unit = ("played", "environment steps") if game else ("drawn", "samples an agent")
    budgets = {f"{record.raw['run']['stop']['samples']:,}": record.case.title for record in records}
    spent = [f"{budget} ({title})" if len(budgets) > 1 else budget for budget, title in budgets.items()]
    by_rounds: dict[int, list[str]] = {}
    for label in experiment.draws:
        by_rounds.setdefault(experiment.rounds_of(label, rounds), []).append(label)
    each = ", ".join(f"{' and '.join(labels)} {count}" for count, labels in by_rounds.items())
    return f"Every method until it had {verb} {', '.join(spent)} {unit}; in rounds: {each}"


def _score(plan: Raw) -> str:
    return words(plan.get("score", "metric"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _stated(records: list[Record]) -> pd.DataFrame:
    rows = []
    for record in records:
        if record.stated is None:
            continue
        for label, history in record.stated.histories.items():
            last, column = history.sort_values("round").iloc[-1], leading([history])
            reached = f"ends after {last['round']} rounds with {words(column)} = {last[column]:.3g}"
            rows.append((record.case.title, label, reached))
        rows += [(record.case.title, label, _first_sentence(why)) for label, why in record.stated.failures.items()]
    return pd.DataFrame(rows, columns=["case", "method", "outcome"]).set_index("case")


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _tuning_words(experiment: Reproduction, records: list[Record]) -> str:
    grid = records[0].raw["tune"]["grid"]
    axes = "\n".join(f"- `{name}`: {', '.join(f'{value:g}' for value in values)}" for name, values in grid.items())
    points = int(np.prod([len(values) for values in grid.values()]))
    told = f"Every method over the same grid of {points} points:\n\n{axes}"
    if experiment.tuned_in:
        told += f"\n\nTuned in the case `{experiment.tuned_in}` alone; the others take its steps."
    fell = [
        f"- {label} in {record.case.title}: {_first_sentence(tuned.fell)}"
        for record in records
        for label, tuned in record.tunings.items()
        if tuned.fell
    ]
    if fell:
        told += "\n\nThe best point diverged on a seed of the report, and the next best one was taken:\n\n" + "\n".join(
            fell
        )
    return told


def _steps(records: list[Record]) -> pd.DataFrame:
    rows = [
        {"case": record.case.title, "method": label, **tuned.steps, **_told(tuned, record.raw["tune"])}
        for record in records
        for label, tuned in record.tunings.items()
    ]
    return pd.DataFrame(rows).set_index("case")


def _told(tuned: Tuned, plan: Raw) -> dict[str, object]:
    row = tuned.table.iloc[tuned.rank]
    diverged = sum(seeds > 0 for seeds in tuned.table["diverged"])
    return {
        _score(plan): f"{row['score']:.3g}",
        "points that diverged": f"{diverged} of {len(tuned.table)}",
        "at the grid's edge": ", ".join(tuned.edges) or "no",
    }


def _of_case(experiment: Reproduction, record: Record) -> Iterator[Block]:
    case, histories = record.case, record.outcome.histories
    place = lambda name: f"{FIGURES}/{case.name}-{name}.png"
    yield Heading(f"{case.title}{f', {case.group}' if case.group else ''}")
    for label, why in record.outcome.failures.items():
        yield Text(f"{label} has no result: {why}")
    if not histories:
        return
    yield Table(summary(histories), "Where the methods ended: medians over the seeds; costs are per agent.")
    yield from _parts(experiment, histories, place("parts"))
    observation = experiment.observation
    if record.by_agent:
        caption = f"The {words(observation)} of every agent after the last round, in every seed."
        yield PerAgent(record.by_agent, words(observation), caption, place("agents"))
    for label, groups in record.groups.items():
        yield Histogram(groups, "learned weight", f"The weights that {label} learned.", place(f"weights-{label}"))
    yield Topology(record.network, "Who talks to whom, and with what weight.", place("network"))


def _parts(experiment: Reproduction, histories: Histories, picture: str) -> Iterator[Block]:
    """What the first figure leaves out: M_t in its parts, or the consensus where there is no M_t; the observation."""
    if leading(histories.values()) == "metric":
        drawn, told = ["metric", *PARTS], "M_t in its parts, and what the agents' own models reach."
    else:
        drawn, told = errors(histories.values(), seen=True), "How far the agents are from agreement on what they share."
    drawn = [column for column in (*drawn, experiment.observation) if column not in ("", experiment.compared)]
    if drawn:
        along = rounds_shown(histories.values())
        yield Curves(tuple(Panel(histories, column, along) for column in drawn), told, picture)


def _times(records: list[Record]) -> pd.DataFrame:
    rows = []
    for record in records:
        for stage, part in record.timing.groupby("stage", sort=False):
            sums = {name: float(np.nansum(part[name])) for name in ("wall_seconds", "compiled_seconds")}
            rows.append({"case": record.case.title, "stage": stage, **sums})
    return pd.DataFrame(rows).set_index("case")


def _configuration(record: Record) -> str:
    problem = {name: value for name, value in record.raw["problem"].items() if name not in MACHINE_OPTIONS}
    return write_toml({**record.raw, "problem": problem})
