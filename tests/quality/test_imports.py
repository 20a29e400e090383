"""Imports run downwards only, read from the source; and importing the library costs little more than importing JAX."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hypergossip

ROOT = Path(hypergossip.__file__).parent

# From the bottom to the top: a room may import its own floor's rooms only where named, and every floor below.
FLOORS = (
    (
        "pytree",
        "naming",
        "callables",
        "callbacks",
        "compilation",
        "float64",
        "leaves",
        "masking",
        "report",
        "registry",
        "toml_text",
        "arguments",
        "processes",
        "spread",
    ),
    ("declarations", "two_points"),
    ("algorithm",),
    ("space", "schedules", "problem_data", "preset", "requirements", "shapes_only"),
    ("whole_data", "messages"),
    ("oracles", "leaf_steps"),
    ("packed",),
    ("agents_axis", "stacking"),
    ("agent_blocks", "agents_data"),
    ("collective",),
    ("problem", "step_bounds"),
    ("hypergradients",),
    ("algorithms",),
    ("metrics", "problems", "starting_point"),
    ("engines",),
    ("kinds",),
    ("checkpoint", "loop", "stop", "progress", "preflight", "check"),
    ("fingerprint",),
    ("result", "run"),
    ("solver", "tuning"),
    ("configuration",),
    ("building",),
    ("experiments",),
    ("cli",),
    ("__main__",),
)
WITHIN = {("run", "result")}
ALONE = ("networks", "data")  # know nothing of ours, nor of JAX
FORBIDDEN = {
    "algorithms": {"engines", "networks", "problems", "problem", "oracles", "metrics", "data"},
    "hypergradients": {"engines", "networks", "problems", "algorithms", "metrics", "data"},
    "engines": {"algorithms", "problems", "hypergradients", "networks", "data", "metrics", "problem", "oracles"},
    "problem": {"networks", "data"},
    "metrics": {"algorithms", "engines", "networks", "problems", "data"},
    "problems": {"engines", "algorithms", "networks"},
}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    """Every module imported, anywhere in the file, by its full name."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            names |= {f"hypergossip.{alias.name}" for alias in node.names} if module == "hypergossip" else {module}
    return names


def ours(path: Path) -> set[str]:
    """The rooms of ours that a file imports, its own apart."""
    names = imports(ast.parse(path.read_text()))
    return {name.split(".")[1] for name in names if name.startswith("hypergossip.")} - {room_of(path)}


def floor_of(room: str) -> int:
    (floor,) = [k for k, rooms in enumerate(FLOORS) if room in rooms]
    return floor


def test_every_room_has_its_floor():
    rooms = {room_of(path) for path in FILES} - set(ALONE)
    assert rooms <= {room for rooms in FLOORS for room in rooms}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path):
    room = room_of(path)
    above = set()
    for other in ours(path) - set(ALONE):
        if other == "__version__":
            continue
        if floor_of(other) > floor_of(room) or (floor_of(other) == floor_of(room) and (room, other) not in WITHIN):
            above.add(other)
    assert not above, f"{room} may not import {', '.join(sorted(above))}"
    assert not ours(path) & FORBIDDEN.get(room, set())


@pytest.mark.parametrize("room", ALONE)
def test_networks_and_data_know_neither_jax_nor_us(room):
    for path in (ROOT / room).rglob("*.py"):
        assert not ours(path), path.name
        assert not any(name.split(".")[0] == "jax" for name in imports(ast.parse(path.read_text()))), path.name


def test_the_measurement_sees_a_wrong_import(tmp_path, monkeypatch):
    wrong = ROOT / "algorithms" / "wrong.py"
    tree = ast.parse("def f():\n    from hypergossip import problems\n    from hypergossip.engines.keys import x\n")
    monkeypatch.setattr(ast, "parse", lambda *_: tree)
    monkeypatch.setattr(Path, "read_text", lambda *_: "")
    assert ours(wrong) == {"problems", "engines"}


HEAVY = ("pandas", "matplotlib", "plotly", "networkx", "sklearn", "scipy.sparse")
HEAVY += ("typer", "rich", "pydantic", "pyarrow")
PROBE = """
import sys
import jax
before = set(sys.modules)
import hypergossip
print(sorted(set(sys.modules) - before))
hypergossip.networks.ring(3)
hypergossip.Problem
print([name for name in ("pandas", "matplotlib", "sklearn") if name in sys.modules])
"""


def test_importing_the_library_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    loaded, later = map(ast.literal_eval, done.stdout.splitlines())
    assert not [name for name in loaded if name.startswith(HEAVY)]
    assert [name for name in loaded if name.startswith("hypergossip")] == ["hypergossip"]
    assert later == []
