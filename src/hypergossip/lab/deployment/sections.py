"""The sections that a plan of a network and an agent's own file have in common."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from hypergossip.lab.configuration import Configuration, Method, Part, RunSection, Section, Source
from hypergossip.peers.agent_settings import Policy


class TaskSection(Section):
    """The section ``[task]``, in the place of ``[problem]`` and ``[methods.X]``.

    Attributes:
        program: A file of Python and the name of a function in it, such as "task.py:make": make(agents) -> (algorithm,
            problem).
    """

    program: str


Task = TypeVar("Task", bound=TaskSection)


class RulesSection(Section):
    """The section ``[peers]`` of an agent's file.

    Attributes:
        policy: What an agent does in a round in which a neighbour's message has not come.
        quorum: The share of the neighbours that must have been received under "quorum".
        ahead: The largest number of rounds in a row in which an agent continues without a neighbour that is there.
        checkpoint_every: The time between two checkpoints, in seconds.
    """

    policy: Literal["wait", "deadline", "quorum"] = "wait"
    quorum: float = 0.5
    ahead: int = 2
    checkpoint_every: float = Field(default=5.0, gt=0, allow_inf_nan=False)

    def rules(self, source: Source) -> Policy:
        """Returns the policy.

        Args:
            source: The source of the section, for the message.

        Raises:
            ValueError: If an option is out of its range; the message names its line.
        """
        try:
            return Policy(self.policy, self.quorum, self.ahead)
        except ValueError as error:
            option = str(error).partition(" ")[0]
            raise ValueError(f"[peers] {str(error).rstrip('.')}{source.at('peers', option)}.") from None


class WorkSections(Section, Generic[Task]):
    """What the agents compute, and what their messages pass.

    Attributes:
        problem: ``[problem]``, a name and options; None if there is a program.
        methods: ``[methods.<label>]``, likewise.
        task: ``[task]``; None if there is a problem with a name.
        channel: ``[[channel]]``, a name and options for each stage, from the sender outward.
    """

    problem: Part | None = None
    methods: dict[str, Method] = Field(default_factory=dict)
    task: Task | None = None
    channel: list[Part] = Field(default_factory=list)

    def check_work(self, source: Source) -> None:
        """Raises ValueError unless there is either a problem and one method, or a program.

        Args:
            source: The source of the sections, for the message.
        """
        named = [section for section in ("problem", "methods") if getattr(self, section)]
        if self.task is not None and named:
            raise ValueError(
                f"[task] stands in the place of [problem] and [methods.X], but there is [{named[0]}] as well; remove "
                f"one of them{source.at(named[0])}."
            )
        if self.task is None and self.problem is None:
            raise ValueError(
                f"{source.name} lacks the section [problem]; add it with a method [methods.X], or add [task] with "
                'program = "task.py:make".'
            )
        if self.task is None and len(self.methods) != 1:
            raise ValueError(
                f"{source.name} has {', '.join(self.methods) or 'no methods'}, but a network runs exactly one method; "
                'name it in [run], such as methods = ["dsgd"], or with --method.'
            )

    def configuration(self, network: Part, run: RunSection) -> Configuration:
        """Returns these sections as an experiment, whose parts can be built.

        Args:
            network: The network.
            run: The section ``[run]``.
        """
        parts: dict[str, Any] = {"problem": self.problem, "methods": self.methods, "channel": self.channel}
        return Configuration.model_construct(network=network, run=run, **parts)
