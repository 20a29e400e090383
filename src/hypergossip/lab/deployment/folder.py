"""The folder of a deployment: every agent's own folder, its services, the observer's folder, and the authority."""

import secrets
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from hypergossip.lab.configuration import Section, read, validated
from hypergossip.lab.deployment import agent_file, joining, services
from hypergossip.lab.deployment.plan import Plan
from hypergossip.lab.deployment.signing import CERTIFICATE, KEY, Holder, Signatures
from hypergossip.lab.deployment.texts import agent_text, watch_text
from hypergossip.lab.toml_text import write_toml

MANIFEST = "deployment.toml"
SAFE = (
    "signs certificates of this network: keep it in a safe place and on no agent's machine; deploy needs it to add an "
    "agent, and agents run without it"
)


class Manifest(Section):
    """What a folder is a deployment of.

    Attributes:
        plan: The path of the plan.
        run: The identifier of the run.
        one_machine: Whether `hypergossip launch` wrote it.
        agents: The names of the agents.
    """

    plan: str
    run: str = Field(pattern=rf"^{agent_file.RUN}$")
    one_machine: bool
    agents: list[str]


class Written(NamedTuple):
    """A file of a deployment.

    Attributes:
        path: The file.
        meaning: What it is, in a few words.
    """

    path: Path
    meaning: str


class Deployment(NamedTuple):
    """A deployment that has been written.

    Attributes:
        run: The identifier of the run.
        files: The files, in the order in which they are named.
        notes: What the user should know besides.
    """

    run: str
    files: tuple[Written, ...]
    notes: tuple[str, ...]


def deploy(plan: Plan, folder: Path, *, new_run: bool = False, one_machine: bool = False) -> Deployment:
    """Writes a deployment; certificates of an earlier one of the same plan are kept if they can be used.

    Args:
        plan: The plan.
        folder: The folder.
        new_run: Whether to give the run a new identifier, so that the agents begin again.
        one_machine: Whether all agents are started on this machine by `hypergossip launch`.

    Raises:
        ValueError: If the folder has another plan's deployment or other files, or certificates cannot be signed.
        OSError: If a file cannot be written.
    """
    before = _earlier(plan, folder, one_machine)
    run = secrets.token_hex(16) if before is None or new_run else before.run
    earlier = [] if before is None or new_run else before.agents
    if earlier:
        joining.refuse_changed_numbers(plan, earlier)
    known = joining.neighbours(folder, earlier)
    holders = [Holder(one.name, (one.host,), folder / one.name, agent_file.STEM) for one in plan.places]
    holders.append(Holder(agent_file.OBSERVER, ("localhost",), folder / agent_file.OBSERVER, agent_file.OBSERVER))
    signatures = Signatures(folder, holders, plan.path.stem[:40])
    if plan.beside is not None:
        plan.beside.refuse_within(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for holder in holders:
        holder.folder.mkdir(exist_ok=True)
        holder.folder.chmod(0o700)
    names = [one.name for one in plan.places]
    manifest = Manifest(plan=str(plan.path.resolve()), run=run, one_machine=one_machine, agents=names)
    # First, so that a deployment that is interrupted can be repeated on the same folder.
    (folder / MANIFEST).write_text(write_toml(manifest.model_dump()), encoding="utf-8")
    signatures.write()
    files: list[Written] = []
    for place, holder in zip(plan.places, holders[:-1], strict=True):
        path = holder.folder / agent_file.FILE
        path.write_text(agent_text(plan, place.number, run, agent_file.STEM), encoding="utf-8")
        files.append(Written(path, f"agent {place.number}, {place.address}"))
        if plan.program is not None:
            copy = holder.folder / plan.program.name
            copy.write_bytes(plan.program.read_bytes())
            files.append(Written(copy, "the program"))
        if plan.beside is not None:
            files += [Written(path, "a file of the program") for path in plan.beside.copy(holder.folder)]
        files += _certificates(holder, signatures)
        path = folder / f"hypergossip-{place.name}.service"
        path.write_text(services.unit(place.name), encoding="utf-8")
        files.append(Written(path, f"unit of systemd that runs {place.name}"))
    path = folder / agent_file.OBSERVER / agent_file.WATCH_FILE
    path.write_text(watch_text(plan, run), encoding="utf-8")
    files += [Written(path, "the observer"), *_certificates(holders[-1], signatures)]
    path = folder / "compose.yaml"
    path.write_text(services.compose(names), encoding="utf-8")
    files += [
        Written(path, "Docker Compose, all agents"),
        Written(folder / MANIFEST, f"what this folder is; run {run}"),
    ]
    files.append(Written(folder / CERTIFICATE, "the authority's certificate"))
    if (folder / KEY).is_file():
        files.append(Written(folder / KEY, SAFE))
    notes = _notes(before, names, run, signatures)
    if earlier:
        notes += joining.advice(plan, known, joining.neighbours(folder, names))
    return Deployment(run, tuple(files), notes)


def _earlier(plan: Plan, folder: Path, one_machine: bool) -> Manifest | None:
    """Returns what the folder is a deployment of, or None if it is new."""
    path = folder / MANIFEST
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder with --to.")
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} has files but no {MANIFEST}, so that it is no deployment; give a new folder with --to."
            )
        return None
    raw, source = read(path)
    manifest = validated(Manifest, raw, source)
    if Path(manifest.plan) != plan.path.resolve():
        raise ValueError(
            f"{folder} is the deployment of another plan, {manifest.plan}; give another folder with --to, or, if the "
            f"plan was moved, write its new path into {path}."
        )
    if manifest.one_machine != one_machine:
        command = "launch" if manifest.one_machine else "deploy"
        raise ValueError(
            f"{folder} was written by `hypergossip {command}`, with other addresses; give another folder with --to."
        )
    return manifest


def _certificates(holder: Holder, signatures: Signatures) -> list[Written]:
    files = holder.files
    kept = "" if holder in signatures.wanted else ", kept"
    return [
        Written(files.certificate, f"certificate of {holder.name}{kept}"),
        Written(files.key, f"its private key{kept}"),
        Written(files.authority, "the authority's certificate"),
    ]


def _notes(before: Manifest | None, names: list[str], run: str, signatures: Signatures) -> tuple[str, ...]:
    notes = []
    if before is not None:
        gone = [name for name in before.agents if name not in names]
        if gone:
            notes.append(
                f"{', '.join(gone)} left the plan, and its certificate stays valid: stop the agent, and remove its "
                "folder and its unit."
            )
        if signatures.renewed:
            notes.append("the authority is new, so that every agent needs its new folder before any of them starts.")
        if run == before.run:
            notes.append("the run is the earlier one, which agents continue; --new-run begins again from round 0.")
    return tuple(notes)
