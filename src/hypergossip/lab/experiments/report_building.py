"""Builds the report of an experiment from the records of its cases."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from hypergossip.figures.histories import errors, leading, rounds_shown
from hypergossip.lab.experiments import report_sections as sections
from hypergossip.lab.experiments.reproduce import COSTS, FIGURE, FIGURES, HISTORY, TIMING, TUNING, Record
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.lab.experiments.verdicts import (
    LEAST_SEEDS,
    MET,
    NOT_JUDGED,
    NOT_MET,
    UNDECIDED,
    Histories,
    MeasuredClaim,
    column_label,
    verdicts,
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

TERMS = ("stationarity", "consensus_error", "lower_consensus_error", "lower_error")
MACHINE_OPTIONS = ("data_dir",)  # they depend on the machine and do not change the experiment


def build_report(
    experiment: Reproduction, records: list[Record], quick: bool, episodes: Mapping[str, Picture] | None = None
) -> Document:
    """Returns the report: what the paper says, what was run, and the results.

    Args:
        experiment: The experiment.
        records: The records of its cases.
        quick: Whether it was a quick run.
        episodes: Name of a case on a game -> a picture of an episode, which is already in the folder.
    """
    histories = {record.case.name: record.outcome.histories for record in records}
    measured = verdicts(experiment, histories, quick)
    blocks: list[Block] = [_first_figure(experiment, records)]
    papers = "papers" if experiment.own else "paper"  # a comparison of methods has no single one
    blocks += [Heading(f"What the {papers} say{'' if experiment.own else 's'}")]
    blocks += [Text(f"{experiment.source}. {experiment.paper}")]
    blocks += [Heading("What was run"), Text(experiment.choices)]
    blocks += [Text(sections.amounts(experiment, records, quick))]
    blocks += [Heading(f"Deviations from the {papers}"), Text(experiment.differences)]
    if measured:
        blocks += [Heading("Claims and verdicts"), Table(_table(measured), _table_caption(measured, records, quick))]
    if any(record.stated for record in records):
        blocks += [
            Heading("The paper's step sizes"),
            Text(STATED_TEXT),
            Table(sections.stated(records), STATED_CAPTION),
        ]
    if any(record.tunings for record in records):
        blocks += [Heading("Tuning"), Text(sections.tuning(experiment, records))]
        blocks += [Table(sections.steps(records), STEPS_CAPTION)]
    compared = [record for record in records if record.case.values and record.outcome.histories]
    if compared:
        blocks += [Heading("Lowest costs"), Table(sections.lowest_costs(experiment, compared), LOWEST_CAPTION)]
    for record in records:
        blocks += _case(experiment, record)
        blocks += [picture for name, picture in (episodes or {}).items() if name == record.case.name]
    blocks += [Heading("Running time"), Table(sections.times(records), TIMES_CAPTION)]
    blocks += [Text(f"All numbers are in {_number_files(records)}.")]
    blocks += [Heading("Configuration"), Text(CONFIGURATION_TEXT)]
    blocks += [Code(_configuration(record), "toml", record.case.full_title) for record in records]
    summary = f"{OPENING.format(name=experiment.name)}\n\n{_summary(measured, records, quick)}"
    return Document(_capital(experiment.title), summary, tuple(blocks))


OPENING = (
    "Read here what was claimed, what was run and what was measured. `hypergossip reproduce {name}` runs the "
    "experiment again."
)
STATED_TEXT = (
    "Every method was run with the paper's step sizes on one seed, for as many rounds as with tuned step sizes. A "
    "method is stopped when its numbers are no longer finite."
)
STATED_CAPTION = "Runs with the paper's step sizes."
STEPS_CAPTION = "The best step sizes of every method, by the median score over the tuning seeds."
TIMES_CAPTION = (
    "Running times of all methods together. The time outside compiled rounds was spent on compilation, measurements "
    "and writing files."
)
FINAL_CAPTION = (
    "Final values: medians over the seeds. Samples and bytes are per agent. The seconds are the time in compiled "
    "rounds of all seeds together."
)
COSTS_CAPTION = (
    "Costs to fixed values: medians over the seeds, interpolated between two observed rounds. A dash means that half "
    "of the seeds or more did not reach the value. Samples and bytes are per agent. The seconds are the rounds times "
    "the median time of a compiled round for one seed, which was measured on {machine} with all methods in turns."
)
LOWEST_CAPTION = (
    "The three methods that reach a value at the lowest cost, for every case and cost: medians over the seeds. The "
    "tables of the cases have the costs of all methods, and say how they were measured."
)
CONFIGURATION_TEXT = "You can pass each of these files to `hypergossip compare --config`."


def _number_files(records: list[Record]) -> str:
    """Returns links to the files of numbers that this experiment has."""
    files = {HISTORY: any(record.outcome.histories for record in records), TIMING: True}
    files[COSTS] = any(record.case.values for record in records)
    files[TUNING] = any(record.tunings for record in records)
    return ", ".join(f"[{name}]({name})" for name, written in files.items() if written)


def _first_figure(experiment: Reproduction, records: list[Record]) -> Curves:
    """Returns the figure of the paper: the compared column against rounds and against samples."""
    rounds = rounds_shown(history for record in records for history in record.outcome.histories.values())
    axes = lambda rounds: ("samples", rounds) if experiment.draws else (rounds, "samples")
    panels = []
    if experiment.cases_agree_within is None:
        for record in records:
            shown, column = record.outcome.histories, record.case.compared or experiment.compared
            # A case may be without the methods that communicate several times a round.
            against = axes(rounds_shown(shown.values()))
            panels += [Panel(shown, column, one, record.case.full_title) for one in against if shown]
    else:
        histories = {record.case.name: record.outcome.histories for record in records}
        for group, cases in experiment.groups().items():
            for label in experiment.methods or experiment.stated:
                lines = {case.title: histories[case.name][label] for case in cases if label in histories[case.name]}
                panels += [
                    Panel(lines, experiment.compared, against, f"{label}, {group}") for against in axes(rounds) if lines
                ]
    after = "" if experiment.own else f", after {experiment.source}"
    caption = f"{_capital(experiment.title)}{after}.{_round_definition(rounds)}"
    return Curves(tuple(panels), caption, FIGURE)


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]


def _round_definition(rounds: str) -> str:
    """Returns what a communication round is, if a method has several of them in one of its rounds."""
    if rounds == "round":
        return ""
    return (
        " A communication round is one message to every neighbour. If a method sends several messages per round, all "
        "of them count."
    )


def _summary(measured: list[MeasuredClaim], records: list[Record], quick: bool) -> str:
    lines = []
    if quick:
        lines += ["**A quick run**, which only checks that everything works. It is far too short to compare methods."]
    lines += [_counts(measured, _why_not_judged(records, quick))] if measured else []
    lines += ["\n".join(f"- **{one.case}**: {one.claim}. {_measurement(one)}" for one in measured)]
    failed = {f"{label} in {record.case.full_title}" for record in records for label in record.outcome.failures}
    if failed:
        lines.append(f"No results, because all usable step sizes diverged: {', '.join(sorted(failed))}.")
    return "\n\n".join(filter(None, lines))


def _counts(measured: list[MeasuredClaim], why: str) -> str:
    """Returns how many claims of the paper and of our own are met, or why none of them is judged."""
    parts = []
    for ours, whose in ((False, "the paper's claims"), (True, "our own bounds and expectations")):
        found = [one.verdict for one in measured if one.ours == ours]
        if set(found) == {NOT_JUDGED}:
            parts.append(f"0 of {len(found)} of {whose} are judged")
        elif found:
            others = [f"{found.count(other)} {other}" for other in (NOT_MET, UNDECIDED, NOT_JUDGED) if other in found]
            more = f" ({', '.join(others)})" if others else ""
            met = found.count(MET)
            parts.append(f"{met} of {len(found)} of {whose} {'is' if met == 1 else 'are'} met{more}")
    return f"{'; '.join(parts)}{f': {why}' if _any_not_judged(measured) else ''}."


def _any_not_judged(measured: list[MeasuredClaim]) -> bool:
    return any(one.verdict == NOT_JUDGED for one in measured)


def _why_not_judged(records: list[Record], quick: bool) -> str:
    """Returns why some claims have no verdict."""
    if quick:
        return "a quick run is too short for a verdict"
    seeds = records[0].raw["run"]["seeds"]
    if seeds < LEAST_SEEDS:
        return f"a verdict needs at least {LEAST_SEEDS} seeds, and {seeds} {'was' if seeds == 1 else 'were'} run"
    return "the measured value is not a number for some of the seeds"


def _measurement(one: MeasuredClaim) -> str:
    return f"Measured {one.measure}: {_ratio(one)}{'.' if one.verdict == MET else f', **{one.verdict}**.'}"


def _ratio(one: MeasuredClaim) -> str:
    interval = "" if np.isnan(one.low) else f" [{one.low:.3g}, {one.high:.3g}]"
    return f"{one.ratio:.3g}{interval}"


def _table(measured: list[MeasuredClaim]) -> pd.DataFrame:
    rows = [(one.case, one.claim, "us" if one.ours else "the paper", _ratio(one), one.verdict) for one in measured]
    value = f"measured {' or '.join(_measures(measured))}"
    return pd.DataFrame(rows, columns=["case", "claim", "claimed by", value, "verdict"]).set_index("case")


def _table_caption(measured: list[MeasuredClaim], records: list[Record], quick: bool) -> str:
    seeds = records[0].raw["run"]["seeds"]
    kinds = " or ".join(f"{measure}s" for measure in _measures(measured)).capitalize()
    caption = f"{kinds} of medians over {seeds} {'seed' if seeds == 1 else 'seeds'}"
    if not all(np.isnan(one.low) for one in measured):
        caption += ", with 95 % bootstrap intervals over the seeds in brackets"
    if any(one.verdict != NOT_JUDGED for one in measured):
        caption += ". A claim is inconclusive if its bound lies within the interval"
    if _any_not_judged(measured):
        caption += f". Claims that are not judged: {_why_not_judged(records, quick)}"
    return f"{caption}."


def _measures(measured: list[MeasuredClaim]) -> list[str]:
    return list(dict.fromkeys(one.measure for one in measured))


def _case(experiment: Reproduction, record: Record) -> Iterator[Block]:
    case, histories = record.case, record.outcome.histories
    path = lambda name: f"{FIGURES}/{case.name}-{name}.png"
    yield Heading(case.full_title)
    for label, why in record.outcome.failures.items():
        yield Text(f"{label} has no result: {why}")
    if not histories:
        return
    yield Table(summary(histories), FINAL_CAPTION)
    if record.approximations:
        yield Text(record.approximations)
    if case.values:
        yield Table(
            sections.costs_to_values(experiment, record),
            COSTS_CAPTION.format(machine=record.timing["machine"].iloc[-1]),
        )
        if told := sections.outperforming(experiment, record):
            yield Text(f"Where the methods of this library's papers are outperformed, by 1 % or more:\n\n{told}")
    yield from _further_curves(experiment, histories, path("parts"))
    if record.by_agent:
        label = column_label(experiment.observation)
        yield PerAgent(record.by_agent, label, f"Final {label} of every agent and seed.", path("agents"))
    for label, groups in record.weights.items():
        yield Histogram(groups, "learned weight", f"The weights learned by {label}.", path(f"weights-{label}"))
    caption = f"The communication graph and its weights. {sections.channel(record)}"
    yield Topology(record.network, caption.rstrip(), path("network"))


def _further_curves(experiment: Reproduction, histories: Histories, picture: str) -> Iterator[Block]:
    """Yields a figure of the terms of M_t, or of the consensus if there is no M_t, and of the observations."""
    if leading(histories.values()) == "metric":
        drawn, caption = ["metric", *TERMS], "The terms of M_t"
    else:
        drawn, caption = errors(histories.values(), seen=True), "Consensus errors of the shared variables"
    present = {column for history in histories.values() for column in history} - {experiment.compared}
    drawn = [column for column in drawn if column in present]
    further = [column for column in (experiment.observation, *experiment.drawn) if column in present]
    caption += f", and the agents' mean {' and '.join(map(column_label, further))}." if further else "."
    drawn += further
    if drawn:
        rounds = rounds_shown(histories.values())
        yield Curves(tuple(Panel(histories, column, rounds) for column in drawn), caption, picture)


def _configuration(record: Record) -> str:
    problem = {name: value for name, value in record.raw["problem"].items() if name not in MACHINE_OPTIONS}
    return write_toml({**record.raw, "problem": problem})
