"""Which samples are whose: what every agent can be given it is, and else there is advice that works."""

import subprocess
import sys

import numpy as np
import pytest

from hypergossip.problems.splits import divide

LABELS = np.arange(240) % 3


@pytest.mark.parametrize("dirichlet", [0.05, 0.3, 100.0])
@pytest.mark.parametrize("samples", [(20, 20), (9, 31), (31, 9), None])
def test_an_uneven_division_holds_a_batch_of_either_or_says_what_to_change(samples, dirichlet):
    least = 24 if samples is None else min(samples)  # 240 samples, 5 agents and 2 parts
    for part in divide(LABELS, 5, samples, dirichlet, least, 0):
        assert min(map(len, part)) >= least
    with pytest.raises(ValueError, match=f"cannot all hold a batch of {least + 1}") as refused:
        divide(LABELS, 5, samples, dirichlet, least + 1, 0)
    sentence = str(refused.value)
    assert sentence.endswith("or a smaller batch_size.")
    assert "minimum" not in sentence  # which is no option of a problem
    if samples is None:
        assert "use fewer agents" in sentence
        divide(LABELS, 4, samples, dirichlet, least + 1, 0)
    else:
        assert "use larger numbers in samples" in sentence
        divide(LABELS, 4, [number + 1 for number in samples], dirichlet, least + 1, 0)


# In a process without the tests' checks of annotations, which would be faster.
ALONE = """
from hypergossip import problems
from hypergossip.problems.actor_critic import presets
games, digits = {"agents": 3}, {"data": "digits", "agents": 3}
for problem, given, option in (
    (problems.meta_learning, digits, "samples"), (problems.data_cleaning, digits, "samples"),
    (problems.meta_learning, digits, "widths"), (problems.sinusoids, games, "widths"),
    (presets.cooperative_navigation, games, "widths"), (presets.pursuit_evasion, games, "channels"),
):
    try:
        problem(**given, **{option: 20})
    except ValueError as error:
        print(error)
"""


def test_one_number_where_several_are_wanted_gets_a_sentence():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, timeout=120)
    first, second, *others = done.stdout.splitlines()
    assert first == second
    assert first.startswith(
        "samples is 20; give the numbers of an agent's training and validation samples, such as (1000, 1000)"
    )
    assert [line.partition(" is ")[0] for line in others] == ["widths", "widths", "widths", "channels"]
    for line in others:
        assert " is 20; give a whole number, at least 1, for every hidden layer, such as (20, 20)" in line
