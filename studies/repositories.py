"""Public repositories at a pinned commit, from GitHub or from a git folder on this machine."""

import argparse
import subprocess
import venv
from pathlib import Path
from typing import NamedTuple

PATIENCE = 1800  # seconds for each command


class Repository(NamedTuple):
    """A repository on GitHub.

    Attributes:
        name: owner/name.
        commit: 40 hexadecimal digits.
    """

    name: str
    commit: str


def option(parser: argparse.ArgumentParser, flag: str, repository: Repository) -> None:
    """Adds an option for a git folder that is used in place of GitHub."""
    help = f"a clone or a bare git folder of {repository.name}; without it, the repository is cloned from GitHub"
    parser.add_argument(flag, type=Path, metavar="FOLDER", help=help)


def checked_out(repository: Repository, source: Path | None, folder: Path) -> Path:
    """Writes the files of the pinned commit into a new folder and returns it.

    Args:
        repository: The repository.
        source: A clone or a bare git folder; None: clone it from GitHub.
        folder: An existing folder for what is written.

    Raises:
        SystemExit: With status 2 and one sentence, if the repository or the commit cannot be reached.
    """
    given, source = source, source or folder / "clone"
    if given is None:
        address = f"https://github.com/{repository.name}"
        cloned = _git("clone", "--quiet", "--bare", address, str(source))
        if cloned.returncode:
            _leave(f"{address} could not be reached ({_last(cloned)}); give a clone or a bare git folder instead.")
    found = _git("-C", str(source), "archive", repository.commit)
    if found.returncode:
        _leave(f"{source} has no commit {repository.commit} of {repository.name} ({_last(found)}).")
    files = folder / repository.name.replace("/", "_")
    files.mkdir()
    # Not `tarfile`, whose safe extraction came with Python 3.11.4: Debian 12 has 3.11.2.
    subprocess.run(["tar", "-x", "-C", str(files)], input=found.stdout, check=True, timeout=PATIENCE)
    return files


def interpreter(folder: Path, *packages: str) -> Path:
    """Makes a virtual environment with packages in a folder, and returns its interpreter."""
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", *packages]
    subprocess.run(command, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
    return python


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)


def _last(process: subprocess.CompletedProcess[bytes]) -> str:
    """The last line that a process wrote to its standard error."""
    return (process.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]


def _leave(reason: str) -> None:
    print(f"nothing was compared: {reason}", flush=True)
    raise SystemExit(2)
