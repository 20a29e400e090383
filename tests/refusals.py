"""What every error message has in common: it is short, a whole sentence, and says what it is about."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def refused(call: Callable[[], Any], words: Sequence[str] = (), lines: int = 1) -> str:
    """Returns the message of the ValueError that a call raises, in which all the words are."""
    with pytest.raises(ValueError) as error:
        call()
    text = str(error.value)
    assert all(word in text for word in words), text
    assert len(text) < 420, text
    assert text.count("\n") < lines, text
    assert text.rstrip().endswith((".", ")")), text
    return text
