"""Histories whose every number is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

Make = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes a history: the metric of seed s in round r is scale * (s + 1) * 2^(-r / 10), a third of it each part."""

    def history(
        seeds: int | None = 5, rounds: int = 100, every: int = 5, scale: float = 3.0, **own: float
    ) -> pd.DataFrame:
        rows = []
        for round in range(0, rounds + 1, every):
            for seed in range(seeds or 1):
                metric = scale * (seed + 1) * 2.0 ** (-round / 10)
                row = {"seed": seed, "round": round, "seconds": 0.01 * round}
                row |= dict.fromkeys(("stationarity", "consensus_error", "lower_error"), metric / 3)
                row |= {"metric": metric, "upper_loss": 1 + metric, "bytes_sent": 40.0 * round}
                row |= {"bytes_sent_max": 80 * round, "samples": 12.0 * round, "upper_gradients": 2.0 * round}
                row |= {name: value + 0.01 * seed + 0.001 * round for name, value in own.items()}
                rows.append(row if seeds else {name: row[name] for name in row if name != "seed"})
        return pd.DataFrame(rows)

    return history


@pytest.fixture
def histories(make: Make) -> dict[str, pd.DataFrame]:
    """Three methods of five seeds with an accuracy each."""
    return {name: make(scale=3.0 + place, test_accuracy=0.8) for place, name in enumerate(("A", "B", "C"))}


@pytest.fixture
def sized() -> Callable[..., tuple[int, int]]:
    """Reads the width and height of a PNG from its header, and asserts that it is one."""

    def size(path: object) -> tuple[int, int]:
        content = np.fromfile(str(path), np.uint8).tobytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert content[-8:-4] == b"IEND"
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])

    return size
