"""What channels do: a short run of one case, and the page's tables, which are those of the recorded numbers."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from studies.channels import tables
from studies.channels.cases import CASES, looks
from studies.channels.measuring import case
from studies.channels.setting import METHODS, problem, trace

ROOT = Path(__file__).parents[2]


def test_a_case_leaves_a_figure_and_numbers(tmp_path):
    with jax.enable_x64(True):
        numbers = case("bursts", tmp_path, quick=True)
    assert (tmp_path / "bursts.png").read_bytes().startswith(b"\x89PNG")
    assert set(numbers["ends"]) == set(CASES["bursts"].panels)
    assert all(set(ends) == set(METHODS) for ends in numbers["ends"].values())


def test_rounds_that_are_observed_include_the_first_and_the_last():
    assert looks(2500)[[0, -1]].tolist() == [0, 2500]


def test_without_gradient_noise_diamond_is_gradient_tracking():
    """So the page shows one column for both."""
    with jax.enable_x64(True):
        first, second = (trace(METHODS[name], problem(name), None, [40]).x for name in ("DIAMOND", "GT-SGD"))
    np.testing.assert_allclose(first, second, atol=1e-12)


@pytest.mark.parametrize("name", ["channels", "laws", "codes", "precision"])
def test_the_page_has_the_recorded_numbers(name):
    numbers = json.loads(tables.NUMBERS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "channels.md").read_text(encoding="utf-8")
    assert getattr(tables, name)(numbers) in page, "python -m studies.channels.tables prints the tables"
