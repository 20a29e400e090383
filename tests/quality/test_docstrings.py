"""Every public name has a docstring; one that takes arguments describes them, and one that raises says when."""

import ast
from pathlib import Path

import pytest

import hypergossip

ROOT = Path(hypergossip.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# The contract's own methods are described once, in algorithm.py, channel.py, engine.py and the constructors.
CONTRACT = {
    *("init", "step", "conserved", "cost", "check"),
    *("samples", "upper_loss", "lower_loss", "upper_gradients", "policy_gradient", "lower_gradient", "hessian_product"),
    *("lower_gradients", "adjoint", "jacobian_product", "project", "place", "start", "restore", "advance"),
    *("to_host", "all_gather", "apply", "encode", "deliver", "receive", "message_bits"),
}


def public(path: Path) -> list[tuple[str, ast.AST, ast.AST | None]]:
    """Every public function, class and method of a file: name, node and the class it is in."""
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append((node.name, node, None))
            if isinstance(node, ast.ClassDef):
                methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
                found += [(f"{node.name}.{part.name}", part, node) for part in methods if not part.name.startswith("_")]
    return found


PUBLIC = [(f"{path.relative_to(ROOT)}: {name}", node, owner) for path in FILES for name, node, owner in public(path)]
# What a command of the command line takes stands in its options' own help.
FUNCTIONS = [entry for entry in PUBLIC if isinstance(entry[1], ast.FunctionDef) and not entry[0].startswith("lab/cli/")]
CLASSES = [entry for entry in PUBLIC if isinstance(entry[1], ast.ClassDef)]


def parameters(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [
        argument.arg for argument in named if argument.arg not in ("self", "cls") and not argument.arg.startswith("_")
    ]


def section(docstring: str, name: str) -> str:
    """A section of a Google-style docstring, or nothing."""
    lines = []
    for line in docstring.partition(f"\n{name}:\n")[2].splitlines():
        if line.strip() and not line.startswith("    "):
            break
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_every_public_name_has_a_docstring():
    assert len(PUBLIC) > 100
    assert [name for name, node, _ in PUBLIC if not ast.get_docstring(node)] == []


def told_in_a_sentence(docstring: str, names: list[str]) -> bool:
    """A sentence can hold two arguments, and a docstring that is one sentence three; more want a list."""
    return len(names) <= 2 or (len(names) == 3 and len(docstring.split("\n\n")) == 1)


def test_functions_describe_their_arguments():
    missing = []
    for name, node, _ in FUNCTIONS:
        docstring, names = ast.get_docstring(node) or "", parameters(node)
        described = section(docstring, "Args")
        if not described and (node.name in CONTRACT or told_in_a_sentence(docstring, names)):
            continue
        missing += [
            f"{name}({argument})"
            for argument in names
            if f"    {argument}:" not in described and f"`{argument}`" not in docstring
        ]
    assert missing == []


def test_classes_describe_their_fields():
    missing = []
    for name, node, _ in CLASSES:
        bases = {ast.unparse(base) for base in node.bases}
        fields = [
            part.target.id
            for part in node.body
            if isinstance(part, ast.AnnAssign)
            and isinstance(part.target, ast.Name)
            and not part.target.id.startswith("_")
            and "ClassVar" not in ast.unparse(part.annotation)
        ]
        if not fields or node.name == "State" or "BaseModel" in bases:  # a state's docstring names the paper's letters
            continue
        docstring = ast.get_docstring(node) or ""
        described = section(docstring, "Args") + section(docstring, "Attributes")
        missing += [f"{name}.{field}" for field in fields if f"    {field}:" not in described]
    assert missing == []


def raises(node: ast.FunctionDef) -> bool:
    """Does the function itself raise, by name? (Bare re-raises and those of inner functions apart.)"""
    stack, found = list(node.body), False
    while stack:
        part = stack.pop()
        if isinstance(part, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        found |= isinstance(part, ast.Raise) and part.exc is not None
        stack += ast.iter_child_nodes(part)
    return found


def test_functions_that_raise_say_so():
    silent = []
    for name, node, _ in FUNCTIONS:
        docstring = ast.get_docstring(node) or ""
        words = ("Raises", "raises", "Refuses", "refuse")
        if raises(node) and not any(word in docstring for word in words):
            silent.append(name)
    assert silent == []


def test_states_name_their_letters():
    for name, node, _ in CLASSES:
        if node.name == "State":
            docstring = ast.get_docstring(node) or ""
            for part in node.body:
                if isinstance(part, ast.AnnAssign):
                    assert part.target.id in docstring, f"{name}: {part.target.id}"
            assert "(p,)" in docstring, name
