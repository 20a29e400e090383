"""What an experiment of a paper is: its cases as configurations, the grid of its steps, and what the paper claims."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import gcd, lcm
from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.lab.configuration import Raw, assign
from hypergossip.support.registry import nearest


class Case(NamedTuple):
    """One problem on one network.

    Attributes:
        name: Of its folder.
        title: In the report.
        problem: The section ``[problem]``.
        network: The section ``[network]``.
        group: What cases that are drawn as lines of one panel have in common, such as "9 agents".
    """

    name: str
    title: str
    problem: Raw
    network: Raw
    group: str = ""

    @property
    def full_title(self) -> str:
        """The title, with the group that it is of."""
        return f"{self.title}, {self.group}" if self.group else self.title


class Claim(NamedTuple):
    """What a figure says of two methods, as a number that can be measured.

    Attributes:
        method: The method that is said to be better.
        rival: Than this one.
        column: Of the history.
        bound: Of the ratio of the method's median over the seeds to the rival's: at the last round it is to be no
            larger; or, where a large value is good, over the last fifth of the rounds no smaller.
        cases: The names of the cases of which it is claimed; all of them where empty.
        largest: Is a large value good?
        difference: Is the bound that of the method's median minus the rival's, as for values of either sign?
        whole: Is the whole run looked at, a mean over its rows, which is larger the sooner a method learns?
        ours: Is it a bound or an expectation of ours, which the paper does not state?
    """

    method: str
    rival: str
    column: str
    bound: float
    cases: tuple[str, ...] = ()
    largest: bool = False
    difference: bool = False
    whole: bool = False
    ours: bool = False


@dataclass(frozen=True)
class Reproduction:
    """An experiment of a paper, or one in its manner.

    Attributes:
        name: What the command calls it, such as "diamond-fig1".
        title: In one line.
        source: The paper's figure.
        paper: What the paper says, in Markdown.
        choices: What the paper leaves open and we chose, and why, in Markdown.
        differences: Where what is run is not what the paper says, and why, in Markdown.
        cases: What is run.
        stated: Label -> the section of a method with the steps that the paper states; empty where it states none.
        methods: Label -> the section of a method whose steps are tuned; empty where the stated steps are reported.
        grid: The one grid of every method, as in ``[tune]``.
        run: The section ``[run]``.
        tune: The section ``[tune]`` but for the grid.
        claims: What is measured of the paper's claims.
        compared: The column of the first figure: "metric" or an observation.
        alike: Where the lines of the first figure are the cases of one method and not the methods of one case: by how
            much their means over the last fifth of the rounds may differ; None otherwise.
        tuned_in: The name of the case whose tuned steps every case takes; each has its own if empty.
        observation: The problem's own observation whose spread over the agents is drawn; empty for none.
        drawn: Further columns that are drawn for every case.
        weights_of: (problem, x with leaves (seeds, agents, ...)) -> group -> learned numbers, whose spread is drawn;
            None for none.
        draws: Label -> how many samples of the problem a round of the method draws, where they are unlike: `run` then
            says the rounds of those that draw the fewest, and the others end when they have drawn as many samples.
            Empty: all run the same rounds.
        quick: Dotted option -> value for a run of a few minutes, such as "run.rounds".
        quick_cases: The names of the cases of such a run, unless others are asked for; all where empty.
        left_out: The titles of the cases that are not run.
    """

    name: str
    title: str
    source: str
    paper: str
    choices: str
    differences: str
    cases: tuple[Case, ...]
    stated: Mapping[str, Raw]
    methods: Mapping[str, Raw]
    grid: Mapping[str, list[float]]
    run: Raw
    tune: Raw
    claims: tuple[Claim, ...] = ()
    compared: str = "metric"
    alike: float | None = None
    tuned_in: str = ""
    observation: str = "test_accuracy"
    weights_of: Callable[[Problem, Any], dict[str, np.ndarray]] | None = None
    draws: Mapping[str, int] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_cases: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def configuration(self, case: Case, methods: Mapping[str, Raw], quick: bool, settings: Mapping[str, Any]) -> Raw:
        """Returns a case as a configuration that ``hypergossip compare`` and ``tune`` take, too.

        Args:
            case: The case.
            methods: Label -> section, `stated` or `methods` or with tuned steps.
            quick: Lay `quick` over it.
            settings: Dotted option -> value, laid over it last; None leaves it.
        """
        raw: Raw = {"problem": case.problem, "network": case.network}
        raw |= {"run": {**self.run, "title": case.full_title}, "methods": dict(methods)}
        raw |= {"tune": {**self.tune, "grid": dict(self.grid)}}
        given = {key: value for key, value in settings.items() if value is not None}
        for key, value in {**(self.quick if quick else {}), **given}.items():
            raw = assign(raw, tuple(key.split(".")), value)
        self._check_rounds(raw["run"])
        return raw

    def rounds_of(self, label: str, rounds: int) -> int:
        """Returns in how many rounds a method draws as many samples as those that draw the fewest do in `rounds`.

        Args:
            label: Of the method.
            rounds: Of those that draw the fewest.
        """
        return rounds * min(self.draws.values()) // self.draws[label] if self.draws else rounds

    def _check_rounds(self, run: Raw) -> None:
        """Refuses rounds after which the methods would not all have a row, and equally many samples."""
        rounds, every = run["rounds"], run.get("observe_every", 1)
        if not self.draws:
            return
        least = min(self.draws.values())
        # A method's rounds are rounds * least / draws, and every so many of them there is a row.
        step = lcm(*(every * draws // gcd(every * draws, least) for draws in self.draws.values()))
        if rounds % step:
            below = rounds - rounds % step
            likely = " or ".join(str(number) for number in (below, below + step) if number)
            raise ValueError(
                f"{self.name}: after {rounds} rounds the methods, of which some draw more samples a round than others, "
                f"would not all have drawn equally many; take a multiple of {step}, such as {likely}."
            )

    def groups(self) -> dict[str, list[Case]]:
        """Returns the cases of every group, in order."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.group, []).append(case)
        return found

    def chosen(self, names: list[str]) -> "Reproduction":
        """Returns the experiment with some of its cases alone.

        Args:
            names: Of the cases, in any order; all where empty. An ending "-uneven" is version 0.1.0's "-noniid".

        Raises:
            ValueError: If one is not there.
        """
        known = [case.name for case in self.cases]
        names = [name if name in known else re.sub("-uneven$", "-noniid", name) for name in names]
        for name in names:
            if name not in known:
                raise ValueError(f"{self.name} has no case {name!r}; {nearest(name, known)}")
        needed = {*names, self.tuned_in} if names else set(known)
        kept = tuple(case for case in self.cases if case.name in needed)
        return replace(self, cases=kept, left_out=tuple(case.full_title for case in self.cases if case not in kept))
