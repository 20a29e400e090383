"""From the records of an experiment to its report."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from hypergossip.figures.histories import errors, leading, rounds_shown
from hypergossip.lab.experiments import report_sections as passages
from hypergossip.lab.experiments.reproduce import FIGURE, FIGURES, HISTORY, TIMING, TUNING, Record
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.lab.experiments.verdicts import (
    LEAST_SEEDS,
    MET,
    NOT_JUDGED,
    NOT_MET,
    UNDECIDED,
    Finding,
    Histories,
    findings,
    words,
)
from hypergossip.lab.report.document import (
    Block,
    Code,
    Curves,
    Document,
    Heading,
    Histogram,
    Panel,
    PerAgent,
    Picture,
    Table,
    Text,
    Topology,
)
from hypergossip.lab.report.tables import summary
from hypergossip.lab.toml_text import write_toml

PARTS = ("stationarity", "consensus_error", "lower_consensus_error", "lower_error")
MACHINE_OPTIONS = ("data_dir",)  # say where, not what


def tell(
    experiment: Reproduction, records: list[Record], quick: bool, played: Mapping[str, Picture] | None = None
) -> Document:
    """Returns the report: what the paper says, what was run, and where they differ.

    Args:
        experiment: The experiment.
        records: Of its cases.
        quick: Was it a quick run?
        played: Name of a case of a game -> a picture of an episode, in the folder already.
    """
    histories = {record.case.name: record.outcome.histories for record in records}
    measured = findings(experiment, histories, quick)
    blocks: list[Block] = [_first_figure(experiment, records)]
    blocks += [Heading("What the paper says"), Text(f"{experiment.source}. {experiment.paper}")]
    blocks += [Heading("What was run"), Text(experiment.choices)]
    blocks += [Text(passages.amounts(experiment, records, quick))]
    blocks += [Heading("Deviations from the paper"), Text(experiment.differences)]
    if measured:
        blocks += [Heading("Claims and verdicts"), Table(_table(measured), _of_findings(measured, records, quick))]
    if any(record.stated for record in records):
        blocks += [
            Heading("The paper's step sizes"),
            Text(STATED_WORDS),
            Table(passages.stated(records), STATED_CAPTION),
        ]
    if any(record.tunings for record in records):
        blocks += [Heading("Tuning"), Text(passages.tuning(experiment, records))]
        blocks += [Table(passages.steps(experiment, records), STEPS_CAPTION)]
    for record in records:
        blocks += _of_case(experiment, record)
        blocks += [picture for name, picture in (played or {}).items() if name == record.case.name]
    blocks += [Heading("Running time"), Table(passages.times(records), TIMES_CAPTION)]
    blocks += [Text(f"Every number: {_written(records)}.")]
    blocks += [Heading("Configuration"), Text("Each is a file for `hypergossip compare --config` as it stands.")]
    blocks += [Code(_configuration(record), "toml", record.case.full_title) for record in records]
    return Document(_capital(experiment.title), _summary(measured, records, quick), tuple(blocks))


STATED_WORDS = (
    "The steps that the paper prints, run as printed: one seed, as many rounds as the tuned methods. A method whose "
    "numbers are no longer finite is stopped."
)
STATED_CAPTION = "Runs with the paper's step sizes."
STEPS_CAPTION = "The best steps of every method, by the median over the tuning's seeds."
TIMES_CAPTION = "All methods together. What is not spent in compiled rounds went into compiling, measuring and writing."
ENDS_CAPTION = (
    "Where the methods ended: medians over the seeds. Samples and bytes are an agent's; the seconds are those of all "
    "seeds in compiled rounds."
)


def _written(records: list[Record]) -> str:
    """The files of numbers that this experiment has."""
    there = {HISTORY: any(record.outcome.histories for record in records), TIMING: True}
    there[TUNING] = any(record.tunings for record in records)
    return ", ".join(f"[{name}]({name})" for name, written in there.items() if written)


def _first_figure(experiment: Reproduction, records: list[Record]) -> Curves:
    """The paper's figure: the compared column against rounds and against samples."""
    column = experiment.compared
    talks = rounds_shown(history for record in records for history in record.outcome.histories.values())
    axes = ("samples", talks) if experiment.draws else (talks, "samples")
    panels = []
    if experiment.alike is None:
        for record in records:
            shown = record.outcome.histories
            panels += [Panel(shown, column, against, record.case.full_title) for against in axes if shown]
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
    return Curves(
        tuple(panels), f"{_capital(experiment.title)}, after {experiment.source}.{_rounds_in_words(talks)}", FIGURE
    )


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def _rounds_in_words(talks: str) -> str:
    """What a communication round is, where a method has several of them in a round of its own."""
    if talks == "round":
        return ""
    return " A communication round is one message to every neighbour; a method that has several in a round counts all."


def _summary(measured: list[Finding], records: list[Record], quick: bool) -> str:
    lines = ["**A quick run**, to see that everything works: far too short to judge any method by."] if quick else []
    lines += [_counted(measured, _why_not_judged(records, quick))] if measured else []
    lines += ["\n".join(f"- **{one.case}**: {one.claim}. {_verdict(one)}" for one in measured)]
    failed = {f"{label} in {record.case.full_title}" for record in records for label in record.outcome.failures}
    if failed:
        lines.append(f"Without a result, as every usable step diverged: {', '.join(sorted(failed))}.")
    return "\n\n".join(filter(None, lines))


def _counted(measured: list[Finding], why: str) -> str:
    """How many claims are met: the paper's, and the bounds that we hold it to; or why none of them is judged."""
    told = []
    for ours, whose in ((False, "the paper's claims"), (True, "our own bounds and expectations")):
        verdicts = [one.verdict for one in measured if one.ours == ours]
        if set(verdicts) == {NOT_JUDGED}:
            told.append(f"0 of {len(verdicts)} of {whose} are judged")
        elif verdicts:
            others = [
                f"{verdicts.count(other)} {other}" for other in (NOT_MET, UNDECIDED, NOT_JUDGED) if other in verdicts
            ]
            more = f" ({', '.join(others)})" if others else ""
            told.append(f"{verdicts.count(MET)} of {len(verdicts)} of {whose} {_are(verdicts.count(MET))} met{more}")
    return f"{'; '.join(told)}{f': {why}' if _not_judged(measured) else ''}."


def _not_judged(measured: list[Finding]) -> bool:
    return any(one.verdict == NOT_JUDGED for one in measured)


def _why_not_judged(records: list[Record], quick: bool) -> str:
    """Why there are claims without a verdict."""
    if quick:
        return "a quick run is too short for a verdict"
    seeds = records[0].raw["run"]["seeds"]
    if seeds < LEAST_SEEDS:
        return f"a verdict needs at least {LEAST_SEEDS} seeds, and {seeds} {'was' if seeds == 1 else 'were'} run"
    return "what was measured is not a number in some of the seeds"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _verdict(one: Finding) -> str:
    return f"Measured: {_ratio(one)}{'.' if one.verdict == MET else f', **{one.verdict}**.'}"


def _ratio(one: Finding) -> str:
    interval = "" if np.isnan(one.low) else f" [{one.low:.3g}, {one.high:.3g}]"
    return f"{one.ratio:.3g}{interval}"


def _table(measured: list[Finding]) -> pd.DataFrame:
    rows = [(one.case, one.claim, "us" if one.ours else "the paper", _ratio(one), one.verdict) for one in measured]
    named = f"measured {' or '.join(_measures(measured))}"
    return pd.DataFrame(rows, columns=["case", "claim", "claimed by", named, "verdict"]).set_index("case")


def _of_findings(measured: list[Finding], records: list[Record], quick: bool) -> str:
    seeds = records[0].raw["run"]["seeds"]
    kinds = " or ".join(f"{measure}s" for measure in _measures(measured)).capitalize()
    told = f"{kinds} of medians over {seeds} {'seed' if seeds == 1 else 'seeds'}"
    if not all(np.isnan(one.low) for one in measured):
        told += ", with 95 % bootstrap intervals over the seeds in brackets"
    if any(one.verdict != NOT_JUDGED for one in measured):
        told += ". A claim is inconclusive where its bound lies within the interval"
    if _not_judged(measured):
        told += f". Where a claim is not judged: {_why_not_judged(records, quick)}"
    return f"{told}."


def _measures(measured: list[Finding]) -> list[str]:
    return list(dict.fromkeys(one.measure for one in measured))


def _of_case(experiment: Reproduction, record: Record) -> Iterator[Block]:
    case, histories = record.case, record.outcome.histories
    place = lambda name: f"{FIGURES}/{case.name}-{name}.png"
    yield Heading(case.full_title)
    for label, why in record.outcome.failures.items():
        yield Text(f"{label} has no result: {why}")
    if not histories:
        return
    yield Table(summary(histories), ENDS_CAPTION)
    yield from _parts(experiment, histories, place("parts"))
    observation = experiment.observation
    if record.by_agent:
        caption = f"The {words(observation)} of every agent after the last round, in every seed."
        yield PerAgent(record.by_agent, words(observation), caption, place("agents"))
    for label, groups in record.weights.items():
        yield Histogram(groups, "learned weight", f"The weights that {label} learned.", place(f"weights-{label}"))
    yield Topology(record.network, "The communication graph and its weights.", place("network"))


def _parts(experiment: Reproduction, histories: Histories, picture: str) -> Iterator[Block]:
    """What the first figure leaves out: The terms of M_t, or the consensus where there is no M_t; the observation."""
    if leading(histories.values()) == "metric":
        drawn, told = ["metric", *PARTS], "The terms of M_t"
    else:
        drawn, told = errors(histories.values(), seen=True), "Consensus errors of the shared variables"
    there = {column for history in histories.values() for column in history}
    drawn = [column for column in drawn if column in there and column != experiment.compared]
    further = [column for column in (experiment.observation, *experiment.drawn) if column in there]
    further = [column for column in further if column != experiment.compared]
    told += f", and the agents' mean {' and '.join(map(words, further))}." if further else "."
    drawn += further
    if drawn:
        along = rounds_shown(histories.values())
        yield Curves(tuple(Panel(histories, column, along) for column in drawn), told, picture)


def _configuration(record: Record) -> str:
    problem = {name: value for name, value in record.raw["problem"].items() if name not in MACHINE_OPTIONS}
    return write_toml({**record.raw, "problem": problem})
