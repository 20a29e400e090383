"""The commands that start all agents of a deployment on this machine."""

import os
import sys
from pathlib import Path

from hypergossip.lab.deployment.agent_file import FILE
from hypergossip.lab.deployment.plan import Plan


def commands(plan: Plan, folder: Path) -> dict[str, list[str]]:
    """Returns the agent's name -> the command that runs it until its last round, or until this process is gone.

    Args:
        plan: The plan.
        folder: The folder of the deployment.
    """
    start = [sys.executable, "-m", "hypergossip", "agent", "--parent", str(os.getpid()), "--config"]
    return {one.name: [*start, str(folder / one.name / FILE)] for one in plan.places}
