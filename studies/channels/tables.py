"""The tables of docs/channels.md, from the numbers of the study: `python -m studies.channels.tables` prints them."""

import json
from pathlib import Path
from typing import Any

NUMBERS = Path(__file__).parents[2] / "docs" / "images" / "channels" / "numbers.json"
COLUMNS = ("D-SGD", "GT-SGD", "SLAM", "SlamTracked")  # without gradient noise, DIAMOND is GT-SGD
DIVERGED = 1e3
# Row -> the case and its panel.
ROWS = {
    "none": ("loss_symmetric", "perfect"),
    "`Loss(0.2)`": ("loss_symmetric", "symmetric"),
    "`Loss(0.2, symmetric=False)`": ("loss_one_sided", "own"),
    'the same, `replace="last"`': ("loss_one_sided", "last"),
    'the same, `replace="renormalise"`': ("others", 'Loss(0.2, symmetric=False, replace="renormalise")'),
    "`EdgeSums()`, `Loss(0.2, symmetric=False)`": ("loss_one_sided", "sums"),
    "`EdgeSums()`, `Loss(0.5, symmetric=False)`": ("others", "EdgeSums, Loss(0.5, symmetric=False)"),
    "`GilbertElliott(0.1, 0.4, symmetric=False)`": ("bursts", "own"),
    "`EdgeSums()`, the same bursts": ("bursts", "sums"),
    "`Noise(0.01)`": ("noise", "noise"),
    "`EdgeSums()`, `Noise(0.01)`": ("noise", "sums"),
    "`Fading(0.3)`": ("fading", "none"),
    "`Fading(0, mean=0.9)`": ("fading", "mean"),
    "`Fading(0.3, pilot=True)`": ("fading", "pilot"),
    "`EdgeSums()`, `Fading(0.3, pilot=True)`": ("others", "EdgeSums, Fading(0.3, pilot=True)"),
    "`Fading(0.3, pilot=True, reciprocal=True)`": ("fading", "reciprocal"),
    "`Delay(1)`": ("delay", "fresh"),
    "`Delay(3)`": ("others", "Delay(3)"),
    '`Delay(1, own="same")`': ("delay", "same"),
    "`EdgeSums()`, `Delay(1)`": ("delay", "sums"),
    "`Quantize(8)`": ("rounding", "range"),
    '`Quantize(8, rounding="stochastic")`': ("others", 'Quantize(8, rounding="stochastic")'),
    '`Quantize(16, rounding="stochastic", width=0.01)`': ("rounding", "lattice"),
    "`EdgeSums()`, the same lattice": ("others", "EdgeSums, lattice 0.01"),
    "`EdgeSums()`, `Quantize(8)`": ("others", "EdgeSums, Quantize(8)"),
    "`CommonCopy()`, `Quantize(8)`": ("rounding", "copy"),
}
WHAT = {"SLAM, k = 1": "SLAM with k = 1:", "stochastic": "random rounding", "nearest": "rounding to nearest"}
LAWS = ("noise", "loss_one_sided", "delay", "rounding", "others")


def number(value: float) -> str:
    """Returns a distance with one or two digits."""
    if value > DIVERGED:
        return "diverges"
    return f"{value:.2g}" if value >= 1e-3 else f"{value:.0e}"


def channels(numbers: dict[str, Any]) -> str:
    """Returns what each channel does to each method: the median of the distance at the end."""
    lines = ["| channel | D-SGD | DIAMOND, GT-SGD | SLAM | SlamTracked |", "|---|---:|---:|---:|---:|"]
    for label, (case, panel) in ROWS.items():
        ends = numbers[case]["ends"][panel]
        lines.append(f"| {label} | " + " | ".join(number(ends[name][2]) for name in COLUMNS) + " |")
    return "\n".join(lines)


def laws(numbers: dict[str, Any]) -> str:
    """Returns what was measured over what is derived."""
    found: dict[str, list[str]] = {}
    for case in LAWS:
        for label, (ratio, error) in numbers[case]["laws"].items():
            name, _, what = label.partition(", ")
            if "error" not in label:
                shown = f"{ratio:.2f} ± {error:.2f}" if error else f"{ratio:.4f}"
                what = WHAT.get(what, what)
                found.setdefault(name, []).append(f"{what} {shown}")
    lines = ["| law | measured / derived |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| {name.removeprefix('law ')} | {'; '.join(found[name])} |" for name in sorted(found))]
    )


def codes(numbers: dict[str, Any]) -> str:
    """Returns the rounds and kilobytes to two accuracies, by method and code."""
    lines = [
        "| method | code | bytes per round | rounds to 1e-6 | kB to 1e-6 | rounds to 1e-12 | kB to 1e-12 |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for method, rows in numbers["bytes"]["to_accuracy"].items():
        for code, row in rows.items():
            reached = [row[target] for target in ("1e-06", "1e-12")]
            shown = " | ".join(f"{rounds:,} | {sent / 1000:,.0f}" for rounds, sent in reached)
            lines.append(f"| {method} | {code} | {row['bytes_a_round']:.0f} | {shown} |")
    return "\n".join(lines)


def precision(numbers: dict[str, Any]) -> str:
    """Returns the distance under edge sums after two numbers of rounds, in float32 and float64."""
    found = numbers["others"]["precision"]
    lines = [
        "| method | float32, 2,000 rounds | 20,000 | float64, 2,000 rounds | 20,000 |",
        "|---|---:|---:|---:|---:|",
    ]
    for method in found["32"]:
        shown = [number(found[bits][method][rounds][0]) for bits in ("32", "64") for rounds in ("2000", "20000")]
        lines.append(f"| {method} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Prints all tables."""
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8"))
    print("\n\n".join(table(numbers) for table in (channels, laws, codes, precision)))


if __name__ == "__main__":
    main()
