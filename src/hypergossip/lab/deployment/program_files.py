"""The files that a user's program needs beside it: which they are, and where they lie in an agent's folder."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hypergossip.lab.configuration import Source

LARGEST_SIZE = 100 * 10**6  # bytes of all files; each agent gets a copy, and larger data belong on its machine
SKIPPED = "__pycache__"  # compiled by another interpreter, perhaps; Python writes its own


class Beside(NamedTuple):
    """A file that is copied beside the program.

    Attributes:
        path: The file.
        place: Its path relative to the program's folder, here and in an agent's folder.
    """

    path: Path
    place: Path


class ProgramFiles:
    """The files and folders that a plan names in ``[task] files``.

    Attributes:
        named: The files and folders, without links.
    """

    named: tuple[Path, ...]

    def __init__(self, files: Sequence[str], folder: Path, program: Path, taken: Iterable[str], source: Source) -> None:
        """Checks them.

        Args:
            files: Their paths, relative to the folder of the plan.
            folder: That folder.
            program: The file of the program.
            taken: The names in an agent's folder that other files have.
            source: The plan.

        Raises:
            ValueError: If one is missing, lies elsewhere or has another file's name, or they are too large together.
        """
        self._top = folder.resolve()
        self._beside = program.parent.resolve()
        self._taken = {name.casefold() for name in taken}
        self._line = source.at("task", "files")
        self._roots = tuple(self._root(text) for text in files)
        self.named = tuple(root.resolve() for root in self._roots)
        size = sum(one.path.stat().st_size for one in self)
        if size > LARGEST_SIZE:
            raise ValueError(
                f"[task] files are {size / 10**6:.0f} MB together, and every agent would get a copy; name at most "
                f"{LARGEST_SIZE / 10**6:.0f} MB, and put larger data on the agents' machines{self._line}."
            )

    def __iter__(self) -> Iterator[Beside]:
        """Yields the files, those in folders included, each once.

        Raises:
            ValueError: If one lies elsewhere or has another file's name.
        """
        seen: set[Path] = set()
        for root in self._roots:
            for path in sorted(self._below(root)):
                place = path.relative_to(self._beside)
                if place not in seen:
                    seen.add(place)
                    yield Beside(path, place)

    def copy(self, folder: Path) -> list[Path]:
        """Copies the files and returns their copies.

        Args:
            folder: The folder of the program's copy.

        Raises:
            ValueError: As for iteration.
            OSError: If one cannot be copied.
        """
        copies = []
        for path, place in self:
            copy = folder / place
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copies.append(copy)
        return copies

    def refuse_within(self, folder: Path) -> None:
        """Raises ValueError if files of a deployment would be copied, among them private keys.

        Args:
            folder: The folder of the deployment.
        """
        wanted = folder.resolve()
        for path in self.named:
            if wanted.is_relative_to(path) or path.is_relative_to(wanted):
                raise ValueError(
                    f"[task] files has {path.name}, and the deployment, with its private keys, is in the same folder; "
                    f"give another folder with --to{self._line}."
                )

    def _root(self, text: str) -> Path:
        """Returns the path that a text names, of which only the last part may be a link."""
        if not text or Path(text).is_absolute():
            raise ValueError(
                f"[task] files has {text!r}; write paths relative to the folder of the plan, such as "
                f'"helpers.py"{self._line}.'
            )
        path = Path(os.path.normpath(self._top / text))
        if path == self._top or not path.is_relative_to(self._top):
            raise self._elsewhere(text)
        if not path.exists():
            raise ValueError(
                f"[task] files has {text!r}, but there is no such file or folder; its path is relative to the folder "
                f"of the plan{self._line}."
            )
        if not path.resolve().is_relative_to(self._top):
            raise self._elsewhere(text)
        path = path.parent.resolve() / path.name
        if self._beside == path or not path.is_relative_to(self._beside):
            raise ValueError(
                f"[task] files has {text!r}, which is not inside the folder of the program, where the program "
                f"looks for it; put it there{self._line}."
            )
        name = path.relative_to(self._beside).parts[0]
        if name.casefold() in self._taken:
            raise ValueError(
                f"[task] files has {text!r}, but {name} is the name of a file that deploy writes into the agent's "
                f"folder; give it another name{self._line}."
            )
        return path

    def _below(self, path: Path) -> Iterator[Path]:
        target = path.resolve()
        text = str(path.relative_to(self._beside))
        if not target.is_relative_to(self._top) or self._top == target:
            raise self._elsewhere(text)
        if target.is_file():
            yield path
        elif not target.is_dir():
            raise ValueError(f"[task] files has {text}, which is neither a file nor a folder; remove it{self._line}.")
        elif path.is_symlink():  # which may lead back to a folder above it, without end
            raise ValueError(
                f"[task] files has {text}, which is a symbolic link to a folder; name the folder itself{self._line}."
            )
        else:
            for one in path.iterdir():
                if one.name != SKIPPED:
                    yield from self._below(one)

    def _elsewhere(self, text: str) -> ValueError:
        return ValueError(
            f"[task] files has {text!r}, which leaves the folder of the plan, or is that folder, itself or by a "
            f"symbolic link; put what the program needs into the folder, and name it alone{self._line}."
        )
