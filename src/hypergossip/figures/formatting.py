"""Formats numbers in the captions of figures."""


def tenths(number: float) -> str:
    """Returns a number with one decimal and a typographic minus sign."""
    text = f"{number:.1f}".replace("-", "−")
    return "0.0" if text == "−0.0" else text
