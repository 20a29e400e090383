"""Writes the results as Markdown and CSV."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hypergossip.lab.experiments import outperformed
from hypergossip.lab.experiments.costs import COLUMNS, costs
from hypergossip.lab.report.formatting import ABSENT, cost, joined, markdown, three_digits
from studies.table.catalogue import IN_WORDS, Entry
from studies.table.numbers import ends
from studies.table.runs import Record
from studies.table.settings import BATCH, GROUPS, LIPSCHITZ, TERMS, Settings

Results = Mapping[str, tuple[Entry, Record]]  # by the method's name


def histories(results: Results, group: str) -> dict[str, pd.DataFrame]:
    """Returns the histories of a group's methods that have one."""
    return {
        name: record.history for name, (entry, record) in results.items() if entry.group == group and not record.failed
    }


def write(results: Results, settings: Settings, folder: Path) -> None:
    """Writes table.md and table.csv into a folder; the page shows figure.png beside it.

    Args:
        results: Of every method that was run.
        settings: Under which.
        folder: Is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(page(results, settings), encoding="utf-8")
    frame(results).to_csv(folder / "table.csv", index=False, float_format="%.6g", lineterminator="\n")


def frame(results: Results) -> pd.DataFrame:
    """Returns everything that the page says, one row a method and value of M_t."""
    parts = []
    for key, group in GROUPS.items():
        of_group = histories(results, key)
        if not of_group:
            continue
        table = costs(of_group, group.values).drop(columns="seeds").replace(np.inf, np.nan)
        steps = pd.DataFrame(
            [
                {"group": key, "method": name, "upper_scale": about["upper"], "lower_scale": about["lower"]}
                for name in of_group
                for about in (results[name][1].about,)
            ]
        )
        last = ends(of_group).reset_index().rename(columns={"rounds": "rounds_run"})
        parts.append(steps.merge(last, on="method").merge(table.rename(columns={"value": "to_metric"}), on="method"))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def page(results: Results, settings: Settings) -> str:
    """Returns the page."""
    records = [record for _, record in results.values()]
    dates = sorted({record.about["date"] for record in records})
    machines = dict.fromkeys(record.about["machine"] for record in records)
    upper, lower = (", ".join(f"{c:g}" for c in grid) for grid in (settings.upper_scales, settings.lower_scales))
    lines = [
        "# Every method on a9a",
        "",
        f"Written by `python -m studies.table` (`make table`) on {' to '.join(dates[:: max(1, len(dates) - 1)])}; "
        f"{'; '.join(machines)}.",
        "",
        "This page compares the methods of the library on one problem. It shows what each method costs until it "
        "reaches a given accuracy, and how accurate it is in the end.",
        "",
        "The problem is one regularizer per feature, tuned on the validation data: `hg.problems.hyperparameter` on "
        f"a9a, experiment 2 of DIAMOND's paper, with p = 123, q = 246 and batches of {BATCH}. Every Neumann series has "
        f"K = {TERMS} and L_g = {LIPSCHITZ:g}. M_t is the paper's metric (eq. 11) on the full data: |grad l|^2 at the "
        "mean x, plus the consensus error, plus the squared distance of every y_i from its optimum.",
        "",
        f"Every method was tuned by `hg.tune` over one grid: upper steps of scale {upper} combined with lower steps of "
        f"scale {lower}. The score is M_t late in the run (the mean over 80, 90 and 100 % of the rounds, the median "
        f"over {settings.tuning_seeds} seeds that are not reported). The steps are c (2 + t)^(-1/3), as in the paper's "
        "experiment, unless the last section says otherwise. All other hyperparameters are those of the methods' "
        f"papers or of the last section, and were not tuned. The results are those of {settings.seeds} other seeds.",
        "",
        "![M_t against rounds and samples; BSA is the cold one](figure.png)",
    ]
    for key in GROUPS:
        lines += _group(results, key)
    lines += ["", "## How to read this", "", *(f"- {note}" for note in _notes(results)), "", *_numbers(results)]
    return "\n".join(lines) + "\n"


def _group(results: Results, key: str) -> list[str]:
    group, of_group = GROUPS[key], histories(results, key)
    if not of_group:
        return []
    last, table = ends(of_group).sort_values("metric"), costs(of_group, group.values)
    lines = ["", f"## {group.title}", "", group.about, ""]
    head = ["method", "steps (upper, lower)", "rounds", "M_t at the end", "10 to 90 %", "|grad l|^2", "test accuracy"]
    lines += markdown(
        [*head, "rounds/s"],
        [
            [
                f"`{name}`",
                _steps(results[name][1]),
                f"{row['rounds']:,.0f}",
                three_digits(row["metric"]),
                ABSENT
                if row["seeds"] == 1
                else f"{three_digits(row['metric_low'])} to {three_digits(row['metric_high'])}",
                three_digits(row["stationarity"]),
                f"{row['test_accuracy']:.4f}" if np.isfinite(row["test_accuracy"]) else ABSENT,
                f"{row['rounds_per_second']:,.0f}",
            ]
            for name, row in last.iterrows()
        ],
    )
    lines += ["", _by_stationarity(last)]
    shown = [column for column in COLUMNS if column in table and table[column].replace(np.inf, np.nan).max() > 0]
    for value in group.values:
        lines += ["", f"### To M_t <= {value:g}", ""]
        lines += markdown(
            ["method", *(COLUMNS[column] for column in shown), "seeds that reach it"],
            [
                [
                    f"`{row['method']}`",
                    *(cost(name, row[name]) for name in shown),
                    f"{row['reached']} of {row['seeds']}",
                ]
                for _, row in table[table["value"] == value].iterrows()
            ],
        )
    told = outperformed.comparisons(table, group.papers, last)
    if told:
        lines += ["", "### Where a method of the papers is outperformed", "", *(f"- {sentence}" for sentence in told)]
    return lines


def _by_stationarity(last: pd.DataFrame) -> str:
    order = last["stationarity"].dropna().sort_values()
    start = last.iloc[0]
    told = ", ".join(f"`{name}` {three_digits(number)}" for name, number in order.items())
    return (
        f"At the start M_t is {three_digits(start['metric_start'])} "
        f"and |grad l|^2 {three_digits(start['stationarity_start'])}. "
        f"By |grad l|^2 alone the order at the end is: {told}."
    )


def _steps(record: Record) -> str:
    about = record.about
    return ", ".join(f"{about[level]:g}{'*' if level in about['edges'] else ''}" for level in ("upper", "lower"))


def _notes(results: Results) -> list[str]:
    everyone = [ends(found) for key in GROUPS if (found := histories(results, key))]
    shares = pd.concat(everyone)["lower_share"].dropna() if everyone else pd.Series(dtype=float)
    notes = [
        "M_t of the two parts of this page is not comparable: the first part sums the lower errors of five agents, the "
        "second part has one lower error.",
        "Costs are medians over the seeds. A seed that never reaches the value counts as the slowest, so a dash means "
        "that half of the seeds or more did not reach it. Costs are interpolated between two observed rounds (each "
        "about 1.4 times the previous one). Samples and bytes are counted per agent.",
        "Seconds are one seed's share of the compiled rounds, with all seeds side by side. They exclude measuring and "
        "compiling. Other programs on the machine can change them by a factor of two (`--time` repeats them).",
        "*: at the edge of the grid, so the best step may lie beyond it. (The smallest upper step is not marked, "
        "because it is the paper's own.)",
        "A method is called outperformed if another method's median is lower by 1 % or more.",
    ]
    if len(shares):
        notes.append(
            "M_t consists almost entirely of lower error here: all other terms are at most "
            f"{100 * (1 - shares.min()):.2g} % of it at the end of any method (medians). The progress of x affects M_t "
            "only because it moves the target of y, so that M_t alone would favour an x that does not move. For this "
            "reason the grid contains no upper step below the paper's own. The column |grad l|^2 shows the progress of "
            "x.",
        )
    exact = [name for name, (entry, _) in results.items() if entry.deterministic]
    if exact:
        notes.append(f"{joined(exact)} draws no samples, so one run represents all seeds, also in tuning.")
    most = max((int(table["rounds"].max()) for table in everyone), default=0)
    short = {name: int(row["rounds"]) for table in everyone for name, row in table.iterrows() if row["rounds"] < most}
    if short:
        told = joined(f"{name} {number:,}" for name, number in short.items())
        notes.append(f"Some methods have expensive rounds and run fewer of them than {most:,}: {told}.")
    notes.append(
        "`DifMAML` is not included: it takes one lower step from y_0 = 0, where d2xy g of this problem is zero, so "
        "that its x never moves."
    )
    notes.append("`DAC`, `CAC` and `MDAC` are not included: they are methods for games.")
    notes += [f"`{name}`: {told}" for name, (_, record) in results.items() if (told := record.about.get("refused"))]
    notes += [f"`{name}` gave no result: {record.failed}" for name, (_, record) in results.items() if record.failed]
    return notes


def _numbers(results: Results) -> list[str]:
    rows = [
        [f"`{name}`", entry.steps, entry.numbers or ABSENT]
        for name, (entry, _) in results.items()
        if entry.numbers or entry.steps != IN_WORDS
    ]
    head = ["method", "steps", "other hyperparameters"]
    return ["## Other hyperparameters", "", *markdown(head, rows)] if rows else []
