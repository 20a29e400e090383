"""The site's pages: all in the navigation, their links right, every public name in the API."""

import importlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

import hypergossip as hg
from hypergossip import engines
from hypergossip.lab.experiments import catalogue

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ROOMS = (hg, hg.channels, hg.networks, hg.problems, hg.data, hg.metrics, engines)
MATHEMATICAL = ("equations.md", "hypergradients.md", "games.md")
LARGEST_FIGURE = 150_000  # bytes

every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))


def hook(name: str) -> ModuleType:
    """A module of docs/, which MkDocs loads by its path."""
    place = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


HOOK, MATHEMATICS = hook("repository_pages"), hook("mathematics")


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_page_is_in_the_navigation_once() -> None:
    _, nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")
    listed = re.findall(r"([\w/-]+\.md)$", nav, re.MULTILINE)
    made = {HOOK.PAGES[path] for path in HOOK.MADE}
    assert len(listed) == len(set(listed))
    assert set(listed) == {str(path.relative_to(DOCS)) for path in PAGES} | made


@every_page
def test_links_lead_to_files_and_to_names_that_are_in_them(path: Path) -> None:
    for link in HOOK.LINK.finditer(prose(path)):
        target = link["target"]
        if ":" in target:
            continue
        there = path.parent / target
        assert there.is_file(), target
        name = re.fullmatch(r"`([\w.]+)`", link["text"])
        if there.suffix == ".py" and name:
            assert name[1] in HOOK.definitions(there.read_text(encoding="utf-8")), f"{name[1]} is not in {target}"


def test_the_equations_name_the_code_of_every_decentralized_method_and_estimator() -> None:
    text = (DOCS / "equations.md").read_text(encoding="utf-8")
    code = {link["target"] for link in HOOK.LINK.finditer(text) if link["target"].endswith(".py")}
    assert len(code) >= 25
    names = ("diamond", "dsgd", "gtsgd", "gtsgd_push_pull", "msgd", "interact", "svr_interact", "slam", "slam_tracked")
    for name in names:
        assert f"../src/hypergossip/algorithms/{name}.py" in code
    for path in (ROOT / "src" / "hypergossip" / "hypergradients").glob("[!_]*.py"):
        assert f"../src/hypergossip/hypergradients/{path.name}" in code, path.name


def rewritten(uri: str, markdown: str) -> str:
    page: Any = SimpleNamespace(file=SimpleNamespace(src_uri=uri), meta={})
    return HOOK.on_page_markdown(markdown, page, None, None)


def test_links_that_leave_the_pages_lead_to_pages_made_for_them() -> None:
    source = (ROOT / "src/hypergossip/algorithms/diamond.py").read_text(encoding="utf-8").splitlines()
    to_code = rewritten("equations.md", "[`Diamond.step`](../src/hypergossip/algorithms/diamond.py)")
    page, line = re.fullmatch(r"\[`Diamond.step`\]\((.*)#__codelineno-0-(\d+)\)", to_code).groups()
    assert page == "code/src/hypergossip/algorithms/diamond.py.md"
    assert source[int(line) - 1].startswith("    def step(")
    assert rewritten("methods/README.md", "[problem](../../README.md)") == "[problem](../index.md)"
    assert rewritten("contributing.md", "[x](docs/api/index.md)") == "[x](api/index.md)"
    for kept in ("[a](methods/dsgd.md#call)", "[b](https://example.org/a.md)", "![c](images/demo.png)"):
        assert rewritten("index.md", kept) == kept


def found(path: str) -> Any:
    """The module, or the object in a module, of a dotted path."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def test_the_api_has_every_public_name() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = [found(path) for path in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)]
    objects, rooms = set(map(id, documented)), [value for value in documented if isinstance(value, ModuleType)]
    missing = []
    for room in ROOMS:
        for name in room.__all__:
            path, value = f"{room.__name__}.{name}", getattr(room, name)
            # Of a room that is there as a whole: a name is hidden by a file that is called like it.
            shown = room in rooms and importlib.util.find_spec(path) is None
            if not (shown or isinstance(value, ModuleType) or id(value) in objects):
                missing.append(path)
    assert missing == [], "write `::: ` and the name into a page of docs/api"


def test_the_skeleton_of_a_method_is_a_short_file_that_the_page_quotes() -> None:
    """The laws run on it: it is in the table of tests/laws."""
    skeleton = (ROOT / "examples" / "heavy_ball.py").read_text(encoding="utf-8")
    assert f"```python\n{skeleton}```" in (DOCS / "extending.md").read_text(encoding="utf-8")
    assert len(skeleton.splitlines()) <= 70
    assert f"a method of {len(skeleton.splitlines())} lines" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def formulas(path: Path) -> tuple[list[str], list[str]]:
    """The LaTeX of a page, in blocks and in lines of text; dollar signs in code are none of it."""
    text = re.sub(r"`[^`\n]+`", "", prose(path))
    blocks = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.MULTILINE | re.DOTALL)
    lines = re.sub(r"^\$\$\n.*?\n\$\$$", "", text, flags=re.MULTILINE | re.DOTALL)
    return blocks, re.findall(r"\$([^$\n]+)\$", lines)


@every_page
def test_equations_become_mathml_without_leftovers(path: Path) -> None:
    """Every command is known, every `&` stands between cells, and no dollar sign is left over."""
    blocks, lines = formulas(path)
    assert prose(path).count("$$") == 2 * len(blocks)
    for latex, mathml in [(b, MATHEMATICS.block(b)) for b in blocks] + [(i, MATHEMATICS.inline(i)) for i in lines]:
        text = "".join(ElementTree.fromstring(mathml).itertext())
        assert text.strip(), latex
        assert re.findall(r"[\\&$]|begin|tag", text) == [], latex


def test_rows_of_an_equation_are_aligned_and_numbered() -> None:
    mathml = MATHEMATICS.block(r"\begin{align} a &= b \tag{6} \\ c &= d \end{align}")
    rows = list(ElementTree.fromstring(mathml).iter("{http://www.w3.org/1998/Math/MathML}mtr"))
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == [["a", "=b", "(6)"], ["c", "=d", ""]]


def test_the_site_converts_formulas_and_leaves_code_alone() -> None:
    html = '<code>echo $HOME $$</code> <span class="arithmatex">\\(x &lt; y\\)</span>'
    made = MATHEMATICS.on_page_content(html, None, None, None)
    assert made.startswith("<code>echo $HOME $$</code> <math")
    assert "<mo>&#x0003C;</mo>" in made


@pytest.mark.parametrize("path", [*(DOCS / "methods").glob("*.md"), *(DOCS / name for name in MATHEMATICAL)])
def test_no_equations_are_left_as_text(path: Path) -> None:
    assert "```text" not in path.read_text(encoding="utf-8")


def test_every_method_cites_its_paper() -> None:
    text = (DOCS / "references.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w\s-]", "", title).lower().replace(" ", "-") for title in re.findall(r"^### (.*)$", text, re.M)
    }
    for path in PAGES:
        cited = re.findall(r"references\.md#([\w-]+)\)", path.read_text(encoding="utf-8"))
        assert set(cited) <= anchors
        assert cited or path.parent.name != "methods", path.name


def rows(text: str, *first: str) -> list[list[str]]:
    """The cells of the first table that begins with these columns, without its head."""
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)]
    cells = [[[cell.strip() for cell in line.strip("|").split("|")] for line in table] for table in tables]
    return next(table[2:] for table in cells if table[0][: len(first)] == list(first))


def test_the_numbers_under_how_to_choose_are_the_tables() -> None:
    columns = ("method", "rounds", "samples", "bytes sent")
    chosen = rows((DOCS / "choosing.md").read_text(encoding="utf-8"), *columns)
    _, text = (DOCS / "table" / "table.md").read_text(encoding="utf-8").split("### To M_t <= 1\n", 1)
    assert sorted(chosen) == sorted(row[: len(columns)] for row in rows(text, *columns))


def test_every_experiment_stands_among_the_experiments() -> None:
    text = (DOCS / "experiments" / "index.md").read_text(encoding="utf-8")
    assert set(catalogue.names()) <= set(re.findall(r"`hypergossip reproduce ([\w-]+)`", text))
    for page in (DOCS / "experiments").glob("*/index.md"):
        assert f"({page.parent.name}/index.md)" in text, page.parent.name


def test_the_numbers_of_the_sinusoids_are_those_of_their_table() -> None:
    text = (DOCS / "sinusoids.md").read_text(encoding="utf-8")
    table = pd.read_csv(DOCS / "sinusoids.csv")
    ends = table[table["round"] == table["round"].max()]
    starts = table[table["round"] == 0]
    forms = {"MAML": "maml", "ANIL": "anil", "iMAML": "imaml", "MAML, every agent alone": "alone"}
    stated = {row[0]: row[1:] for row in rows(text, "form")}
    assert list(stated) == list(forms)
    for title, form in forms.items():
        of_form = lambda part, column, form=form: part[part["form"] == form][column]
        before, after = of_form(starts, "adapted_error"), of_form(ends, "adapted_error")
        unadapted = of_form(ends, "unadapted_error")
        assert after.size == 3
        expected = [
            f"{before.median():.2f}",
            f"{after.median():.2f} ({after.min():.2f} to {after.max():.2f})",
            f"{unadapted.median():.2f}",
        ]
        assert stated[title][-3:] == expected
    assert (DOCS / "images" / "sinusoids.png").stat().st_size < LARGEST_FIGURE
