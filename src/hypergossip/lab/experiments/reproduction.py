"""The definition of an experiment: cases as configurations, a grid of step sizes, and the claims of the paper."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import gcd, lcm
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.lab.assignment import assign
from hypergossip.lab.configuration import Raw
from hypergossip.support.registry import nearest


class Case(NamedTuple):
    """One problem on one network, with one channel.

    Attributes:
        name: The name of its folder.
        title: The title in the report.
        problem: The section ``[problem]``.
        network: The section ``[network]``.
        group: What the cases that are lines of one panel have in common, such as "9 agents".
        channel: The sections ``[[channel]]``; empty for the ideal channel.
        options: Dotted option -> value, where the case differs from the experiment, such as "run.seeds".
        quick: Likewise for a quick run, in addition to the experiment's own.
        tuned_in: The name of the case whose tuned step sizes are used; empty if this case is tuned.
        values: Values of the compared column to which the methods' costs are reported.
        compared: The compared column where it differs from that of the experiment.
    """

    name: str
    title: str
    problem: Raw
    network: Raw
    group: str = ""
    channel: tuple[Raw, ...] = ()
    options: Mapping[str, Any] = MappingProxyType({})
    quick: Mapping[str, Any] = MappingProxyType({})
    tuned_in: str = ""
    values: tuple[float, ...] = ()
    compared: str = ""

    @property
    def full_title(self) -> str:
        """The title, followed by the group if there is one."""
        return f"{self.title}, {self.group}" if self.group else self.title


class Claim(NamedTuple):
    """A claim about two methods as a bound on a number that can be measured.

    Attributes:
        method: The method that is claimed to be better.
        rival: The method that it is compared with.
        column: A column of the history.
        bound: A bound on the method's median over the seeds, divided by the rival's. At the last round the ratio is at
            most the bound; where large values are good, it is at least the bound over the last fifth of the rounds.
        cases: The names of the cases that the claim is about; empty for all cases.
        largest: Whether large values are good.
        difference: Whether the bound is on the difference of the medians, for values of either sign.
        whole: Whether means over the whole run are compared, which are better the sooner a method learns.
        ours: Whether this is our own bound or expectation, which the paper does not state.
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
    """An experiment of a paper, or another experiment of the same form.

    Attributes:
        name: The name in the command, such as "diamond-fig1".
        title: The title, in one line.
        source: The figure of the paper.
        paper: What the paper says, in Markdown.
        choices: Our choices where the paper leaves something open, with reasons, in Markdown.
        differences: The deviations from the paper, with reasons, in Markdown.
        cases: The cases to run.
        run: The section ``[run]``.
        stated: Label -> the section of a method with the paper's step sizes; empty where the paper gives none.
        methods: Label -> the section of a method that is tuned; empty where the paper's step sizes are reported.
        grid: The grid of every method, as in ``[tune]``.
        tune: The section ``[tune]`` without the grid.
        claims: The claims that are measured.
        compared: The column of the first figure: "metric" or an observation.
        cases_agree_within: Where the lines of the first figure are the cases of one method instead of the methods of
            one case, a bound on the relative difference of their means over the last fifth of the rounds.
        observation: The observation of the problem that is drawn for every agent; empty for none.
        drawn: Further columns that are drawn for every case.
        weights_of: (problem, x with leaves (seeds, agents, ...)) -> group -> learned numbers, which are drawn as
            histograms; None for none.
        draws: Label -> the number of samples that a round of the method draws, where these differ. The section `run`
            then has the rounds of the methods that draw the fewest, and every other method stops when it has drawn the
            same number of samples. Empty if all methods run the same rounds.
        quick: Dotted option -> value for a run of a few minutes, such as "run.rounds".
        quick_cases: The names of the cases of a quick run unless others are chosen; empty for all cases.
        left_out: The titles of the cases that are not run.
        own: Label -> name of the methods of the two papers of this library; where a case has values, the report says
            by which methods they are outperformed.
    """

    name: str
    title: str
    source: str
    paper: str
    choices: str
    differences: str
    cases: tuple[Case, ...]
    run: Raw
    stated: Mapping[str, Raw] = field(default_factory=dict)
    methods: Mapping[str, Raw] = field(default_factory=dict)
    grid: Mapping[str, list[float]] = field(default_factory=dict)
    tune: Raw = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    compared: str = "metric"
    cases_agree_within: float | None = None
    observation: str = "test_accuracy"
    drawn: tuple[str, ...] = ()
    weights_of: Callable[[Problem, Any], dict[str, np.ndarray]] | None = None
    draws: Mapping[str, int] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_cases: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)

    def configuration(self, case: Case, methods: Mapping[str, Raw], quick: bool, settings: Mapping[str, Any]) -> Raw:
        """Returns a case as a configuration, which ``hypergossip compare`` and ``tune`` accept as well.

        Args:
            case: The case.
            methods: Label -> section: `stated` or `methods`, or sections with tuned step sizes.
            quick: Whether the options of `quick` apply.
            settings: Dotted option -> value, applied last; None changes nothing.

        Raises:
            ValueError: If the methods would not draw the same number of samples.
        """
        raw: Raw = {"problem": case.problem, "network": case.network}
        raw |= {"channel": list(case.channel)} if case.channel else {}
        raw |= {"run": {**self.run, "title": case.full_title}, "methods": dict(methods)}
        raw |= {"tune": {**self.tune, "grid": dict(self.grid)}}
        given = {key: value for key, value in settings.items() if value is not None}
        shorter = {**self.quick, **case.quick} if quick else {}
        for key, value in {**case.options, **shorter, **given}.items():
            raw = assign(raw, tuple(key.split(".")), value)
        self._check_rounds(raw["run"])
        return raw

    def rounds_of(self, label: str, rounds: int) -> int:
        """Returns the rounds after which a method has drawn as many samples as all methods are to draw.

        Args:
            label: The label of the method.
            rounds: The rounds of the methods that draw the fewest samples per round.
        """
        return rounds * min(self.draws.values()) // self.draws[label] if self.draws else rounds

    def _check_rounds(self, run: Raw) -> None:
        """Refuses rounds after which some methods would have no row or another number of samples."""
        rounds, every = run["rounds"], run.get("observe_every", 1)
        if not self.draws:
            return
        least = min(self.draws.values())
        # A method runs rounds * least / draws rounds, and has a row after every `every` of them.
        step = lcm(*(every * draws // gcd(every * draws, least) for draws in self.draws.values()))
        if rounds % step:
            below = rounds - rounds % step
            likely = " or ".join(str(number) for number in (below, below + step) if number)
            raise ValueError(
                f"{self.name}: some methods draw more samples per round than others, so with {rounds} rounds they "
                f"would not all draw the same number; take a multiple of {step}, such as {likely}."
            )

    def groups(self) -> dict[str, list[Case]]:
        """Returns the cases of every group, in order."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.group, []).append(case)
        return found

    def chosen(self, names: list[str]) -> "Reproduction":
        """Returns the experiment with only some of its cases.

        Args:
            names: The names of the cases in any order; empty for all. Version 0.1.0 used the ending "-uneven" for
                "-noniid", which is still accepted.

        Raises:
            ValueError: If a case does not exist.
        """
        known = [case.name for case in self.cases]
        names = [name if name in known else re.sub("-uneven$", "-noniid", name) for name in names]
        for name in names:
            if name not in known:
                raise ValueError(f"{self.name} has no case {name!r}; {nearest(name, known)}")
        tuned = {case.tuned_in for case in self.cases if case.name in names}
        needed = {*names, *tuned} if names else set(known)
        kept = tuple(case for case in self.cases if case.name in needed)
        return replace(self, cases=kept, left_out=tuple(case.full_title for case in self.cases if case not in kept))
