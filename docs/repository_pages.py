"""A MkDocs hook: links that leave docs/ work on the site as they do in the repository.

A page links to a file of the repository as one does when browsing it: `../src/hypergossip/running/run.py`,
`../README.md`. On the site a source file becomes a page with numbered lines, made only where something links to it; a
link whose text is a name of that file, such as `Diamond.step`, leads to the line of its definition.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
MADE = ("CONTRIBUTING.md", "CHANGELOG.md")  # README's place is taken by a page of its own
# Pages with a table, or a figure, that wants the whole width.
HIDDEN = {"index.md": ["navigation", "toc"], "methods/README.md": ["toc"], "table/table.md": ["toc"]}
LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s#]+)(?P<fragment>#[^()\s]*)?\)")
LANGUAGES = {".py": "python", ".toml": "toml", ".csv": "text"}
SOURCE = """---
search:
  exclude: true
hide:
  - toc
---

# {path}

```{language} linenums="1"
{text}```
"""


def definitions(text: str) -> dict[str, int]:
    """Returns the line of every name that a Python file defines: functions, classes, their methods, and constants."""
    lines: dict[str, int] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            names = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names = [node.target.id]
            for name in names:
                lines.setdefault(prefix + name, node.lineno)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")

    visit(ast.parse(text).body, "")
    return lines


def origin(uri: str) -> str:
    """Returns where the text of a page lies in the repository."""
    made = {page: path for path, page in PAGES.items() if path in MADE}
    return made.get(uri, f"docs/{uri}")


def outside(uri: str, target: str) -> str | None:
    """Returns the file of the repository that a page's link leads to, or None where the site has it anyway."""
    if ":" in target or target.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin(uri)), target))
    if path.startswith("docs/") and uri == origin(uri).removeprefix("docs/"):
        return None
    return path if (ROOT / path).is_file() else None


def place(path: str) -> str:
    """Returns the page of the site that shows a file of the repository."""
    return PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"code/{path}.md")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made here: CONTRIBUTING, CHANGELOG, and every source file that a page links to."""
    from mkdocs.structure.files import File  # here, so that the tests can do without MkDocs

    for path in MADE:
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, PAGES[path], content=text))
    linked = set()
    for file in files.documentation_pages():
        for link in LINK.finditer(file.content_string):
            path = outside(file.src_uri, link["target"])
            if path and place(path).startswith("code/"):
                linked.add(path)
    for path in sorted(linked):
        text = (ROOT / path).read_text(encoding="utf-8")
        content = SOURCE.format(path=path, language=LANGUAGES.get(Path(path).suffix, "text"), text=text)
        files.append(File.generated(config, place(path), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Leads the links that leave docs/ to the pages made for them."""
    uri = page.file.src_uri
    page.meta["hide"] = HIDDEN.get(uri, page.meta.get("hide", []))

    def rewritten(link: re.Match[str]) -> str:
        path = outside(uri, link["target"])
        if path is None:
            return link[0]
        target = posixpath.relpath(place(path), posixpath.dirname(uri) or ".")
        fragment = link["fragment"] or ""
        if path.endswith(".py") and not fragment:
            line = definitions((ROOT / path).read_text(encoding="utf-8")).get(link["text"].strip("`"))
            fragment = f"#__codelineno-0-{line}" if line else ""
        return f"[{link['text']}]({target}{fragment})"

    return LINK.sub(rewritten, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Tells MkDocs, which checks every link's fragment, of the lines of a source file."""
    page.present_anchor_ids.update(re.findall(r'id="(__codelineno-[\d-]+)"', html))
    return html
