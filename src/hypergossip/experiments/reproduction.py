"""What an experiment of a paper is: its cases as configurations, the grid of its steps, and what the paper claims."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from hypergossip.configuration import Raw, assign
from hypergossip.problem import Problem
from hypergossip.registry import nearest


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
    """

    method: str
    rival: str
    column: str
    bound: float
    cases: tuple[str, ...] = ()
    largest: bool = False


@dataclass(frozen=True)
class Reproduction:
    """An experiment of a paper, or one in its manner.

    Attributes:
        name: What the command calls it, such as "D1".
        title: In one line.
        source: The paper's figure.
        paper: What the paper says, in Markdown.
        choices: What the paper leaves open and we chose, and why, in Markdown.
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
        groups_of: (problem, x with leaves (seeds, agents, ...)) -> group -> learned numbers, whose spread is drawn;
            None for none.
        quick: Dotted option -> value for a run of a few minutes, such as "run.rounds".
        quick_cases: The names of the cases of such a run, unless others are asked for; all where empty.
    """

    name: str
    title: str
    source: str
    paper: str
    choices: str
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
    groups_of: Callable[[Problem, Any], dict[str, np.ndarray]] | None = None
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_cases: tuple[str, ...] = ()

    def configuration(self, case: Case, methods: Mapping[str, Raw], quick: bool, settings: Mapping[str, Any]) -> Raw:
        """Returns a case as a configuration that ``hypergossip compare`` and ``tune`` take, too.

        Args:
            case: The case.
            methods: Label -> section, `stated` or `methods` or with tuned steps.
            quick: Lay `quick` over it.
            settings: Dotted option -> value, laid over it last; None leaves it.
        """
        raw: Raw = {"problem": case.problem, "network": case.network}
        raw |= {"run": {**self.run, "title": case.title}, "methods": dict(methods)}
        raw |= {"tune": {**self.tune, "grid": dict(self.grid)}}
        given = {key: value for key, value in settings.items() if value is not None}
        for key, value in {**(self.quick if quick else {}), **given}.items():
            raw = assign(raw, tuple(key.split(".")), value)
        return raw

    def groups(self) -> dict[str, list[Case]]:
        """Returns the cases of every group, in order."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.group, []).append(case)
        return found

    def chosen(self, names: list[str]) -> "Reproduction":
        """Returns the experiment with some of its cases alone.

        Args:
            names: Of the cases, in any order; all where empty.

        Raises:
            ValueError: If one is not there.
        """
        known = [case.name for case in self.cases]
        for name in names:
            if name not in known:
                raise ValueError(f"{self.name} has no case {name!r}; {nearest(name, known)}")
        needed = {*names, self.tuned_in} if names else set(known)
        return replace(self, cases=tuple(case for case in self.cases if case.name in needed))
