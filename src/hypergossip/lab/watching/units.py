"""Numbers as text, the same in the terminal and on the page."""

NOTHING = "–"


def size(count: int) -> str:
    """Returns a `count` of bytes such as "1.5 MB", in decimal units."""
    if count < 1_000:
        return f"{count} B"
    units = ("kB", "MB", "GB", "TB", "PB")
    power = next((p for p in range(1, len(units)) if count < 999.5 * 1_000**p), len(units))
    return f"{count / 1_000**power:.3g} {units[power - 1]}"


def number(value: float | None) -> str:
    """Returns a `value` with four digits, or a dash for None."""
    if value is None:
        return NOTHING
    small = value != 0 and not 1e-3 <= abs(value) < 1e5
    return f"{value:.2e}" if small else f"{value:.4g}"


def rate(value: float | None) -> str:
    """Returns a `value` in rounds per second."""
    return NOTHING if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def seconds(value: float) -> str:
    """Returns a duration: the `value` in seconds up to two minutes, then minutes, then hours."""
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7_200 else f"{value / 3_600:.1f} h"


def reasons(counts: dict[str, int], most: int = 4) -> str:
    """Returns counts by reason as "12 (9 wrong run, 3 late)", the most frequent first.

    Args:
        counts: The number of messages by reason.
        most: The largest number of reasons that are named.
    """
    total = sum(counts.values())
    if not total:
        return "0"
    ordered = sorted((item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {reason}" for reason, count in ordered[:most]]
    more = [f"{sum(count for _, count in ordered[most:]):,} for other reasons"] if len(ordered) > most else []
    return f"{total:,} ({', '.join(named + more)})"
