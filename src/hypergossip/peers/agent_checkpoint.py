"""What an agent that runs by itself keeps on disk: its own state, by which it returns after a failure."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

FILE = "agent.npz"


class Kept(NamedTuple):
    """A checkpoint.

    Attributes:
        round: The number of completed rounds.
        agents: The state of the method.
    """

    round: int
    agents: Any


def write(folder: Path, run: str, digest: bytes, round: int, agents: Any) -> None:
    """Writes a checkpoint; the one before is replaced at once or not at all.

    Args:
        folder: The agent's folder.
        run: The identifier of the run.
        digest: The digest of the configuration.
        round: The number of completed rounds.
        agents: The state of the method.
    """
    folder.mkdir(parents=True, exist_ok=True)
    leaves: dict[str, Any] = {f"leaf {k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(agents))}
    about = json.dumps({"run": run, "digest": digest.hex(), "round": round})
    beside = folder / f"{FILE}.new"
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, about=np.asarray(about), **leaves)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / FILE)


def read(folder: Path | None, run: str, digest: bytes, like: Any) -> Kept | None:
    """Returns the checkpoint of this run, or None if there is none, or only one of another run.

    Args:
        folder: The agent's folder, or None.
        run: The identifier of the run.
        digest: The digest of the configuration.
        like: A state of the method, for its structure.

    Raises:
        ValueError: If the file is damaged, or belongs to another configuration of the same run.
    """
    if folder is None or not (folder / FILE).exists():
        return None
    try:
        with np.load(folder / FILE, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            kept = [file[f"leaf {k}"] for k in range(len(file.files) - 1)]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder / FILE} is damaged ({error}); remove it, and the agent joins at the network's round with the "
            "problem's starting point."
        ) from error
    if about["run"] != run:
        return None
    wanted, structure = jax.tree.flatten(like)
    if about["digest"] != digest.hex() or [v.shape for v in kept] != [v.shape for v in wanted]:
        raise ValueError(
            f"{folder / FILE} was written by another configuration of this run; deploy with --new-run, or remove it."
        )
    return Kept(int(about["round"]), jax.tree.unflatten(structure, kept))
