"""Files stay small, and speak of nothing but the project."""

import re
from pathlib import Path

import pytest

import hypergossip

PACKAGE = Path(hypergossip.__file__).parent
ROOT = Path(__file__).parents[2]
IGNORED = {".git", ".venv", "venv", "__pycache__", "build", "dist", "site", "runs", "artefacts"}
IGNORED |= {".ruff_cache", ".pytest_cache"}
TEXT = {".py", ".md", ".toml", ".cff", ".txt", ".json", ".yml", ".yaml", ".cfg", ""}


def texts() -> list[Path]:
    """Every text file of the project."""
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if any(part in IGNORED or part.endswith(".egg-info") for part in parts):
            continue
        if path.is_file() and path.suffix in TEXT and path.stat().st_size < 500_000:
            found.append(path)
    return found


@pytest.mark.parametrize(
    "path", [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_is_long(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 300
    if path.parent == PACKAGE / "algorithms":
        assert lines <= 130


# Written apart, so that this file does not find itself.
ELSEWHERE = re.compile(
    "|".join(
        (
            r"(?<![\w.~])/(?:work|root|tmp|home/\w+|Users/\w+)" + r"/\w",
            r"(?:pypi|pythonhosted|artifactory|nexus)" + r"\.[a-z]+",
            r"\b(?:TO" + r"DO|FIX" + r"ME|X{3}|Not" + r"ImplementedError)\b",
            r"type:\s*ign" + r"ore|#\s*no" + r"qa",
        )
    )
)


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_this_machine_and_nothing_unfinished(path):
    found = [
        f"{number}: {line.strip()[:80]}"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text", ["see /ro" + "ot/venv", "from py" + "pi.org", "# TO" + "DO later", "# type: ign" + "ore"]
)
def test_the_search_finds_what_it_is_for(text):
    assert ELSEWHERE.search(text)


def test_the_search_leaves_ordinary_text_alone():
    for text in ("a/tmp/b", "`src/work/x`", "https://example.org/rooted", "1/n sum_i", "~/work/data"):
        assert not ELSEWHERE.search(text), text


def test_no_two_test_files_share_a_name():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
