"""The words of the field: phrases that only this project used are found nowhere in the source and the documentation."""

import re
from pathlib import Path

import pytest

import hypergossip

ROOT = Path(__file__).parents[2]
SOURCE = sorted(Path(hypergossip.__file__).parent.rglob("*.py"))
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
# Phrase -> the term that stands for it.
RETIRED = {
    r"unlike(?:ness)?\b(?! those| that| the| a | an | in )": "heterogeneous, different",
    r"alike\b": "homogeneous, equal, similar",
    r"uneven (?:split|partition|division)": "non-IID partition",
    r"(?:stated|printed) steps?\b": "the paper's step sizes",
    r"(?:is|are) (?:not )?beaten": "is outperformed by",
    r"dear(?:er|est)?\b": "expensive",
    r"cheap(?:er|est|ly)?\b": "inexpensive",
    r"(?:goes|go|going|gone|went) on (?:with|from)": "resumes",
    r"stands? still": "has its fixed point at",
    r"drawn anew": "bootstrap",
    r"not decided": "inconclusive",
    r"what came (?:out|of)": "Results, Claims and verdicts",
    r"where they differ, and why": "Deviations from the paper",
    r"the time it took": "Running time",
    r"how a key draws": "Mini-batch sampling",
    r"theory, measured": "Empirical check of the theory",
    r"what speaks for": "Trade-offs",
    r"(?:diamond|slam)\.txt": "Qiu et al. 2023, Lu et al. 2022",
}
# Names of files, functions and classes.
RETIRED_NAMES = (
    *("telling", "story", "Story", "passages", "prose", "sentences", "words", "spreads", "panels", "boards", "planes"),
    *("findings", "beaten", "by_hand", "haste", "watch", "zoo", "foreign", "given", "assembly", "fastest", "division"),
    *("tell", "leads", "fetch", "spent", "Carry", "Saved", "Figures", "D1", "D2", "D3", "D4", "S1", "S2", "C1", "C2"),
)


def phrases(text: str) -> list[str]:
    """The retired phrases in a text, whatever the line breaks."""
    flat = " ".join(text.split())
    return [match[0] for phrase in RETIRED for match in re.finditer(rf"\b{phrase}", flat, re.IGNORECASE)]


@pytest.mark.parametrize("path", [*SOURCE, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_phrase_is_used(path):
    text = re.sub(r"@renamed_arguments\([^)]*\)", "", path.read_text(encoding="utf-8"))  # the earlier names still work
    if path.name == "CHANGELOG.md":  # it says what was renamed, in code style
        text = re.sub(r"`[^`]*`", "", text)
    assert phrases(text) == []


def test_no_file_function_or_class_has_a_retired_name():
    found = [str(path) for path in SOURCE if path.stem in RETIRED_NAMES]
    for path in SOURCE:
        names = re.findall(r"^\s*(?:def|class) (\w+)|^(\w+)(?:: [^=]+)? = ", path.read_text(encoding="utf-8"), re.M)
        found += [f"{path.name}: {name}" for pair in names for name in pair if name in RETIRED_NAMES]
    assert found == []


@pytest.mark.parametrize(
    "text", ["on unlike agents", "it goes\non with the run", "agents are alike.", "A dear product"]
)
def test_the_search_finds_what_it_is_for(text):
    assert phrases(text)
    assert not phrases("unlike those of a report, the steps are unlikely to diverge")
