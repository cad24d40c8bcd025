"""What can be said about a section's files without running them: names, imports, texts, leaks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .course import Section, used
from .imports import allowed

LESSON_LEAST = 1500  # characters
LEAK_LEAST = 28  # characters of a line without blanks, below which two people write the same
SUITE_IMPORTS = {"numpy", "pytest", "nnkit.grader.compare", "__future__", "math", "itertools"}
HIDDEN_IMPORTS = SUITE_IMPORTS | {
    "gradescope_utils.autograder_utils.decorators", "collections", "collections.abc", "functools", "gzip", "json", "re"
}  # fmt: skip


def inspect(section: Section) -> Iterator[tuple[str, str]]:
    """Return every check's name with what is wrong, or with "" when nothing is."""
    yield "names and signatures", _names(section)
    yield "imports", _imports(section)
    yield "lesson", _lesson(section)
    yield "quiz", "" if section.quiz else "section.toml has no quiz"
    yield "titles", _titles(section)
    yield "no solution in exercises/", _leak(section)


def signatures(source: str) -> dict[str, str]:
    """The public names of a module with their signatures, methods as "Class.method"."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found[node.name] = _signature(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found[node.name] = f"({', '.join(ast.unparse(base) for base in node.bases)})"
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (
                    method.name == "__init__" or not method.name.startswith("_")
                ):
                    found[f"{node.name}.{method.name}"] = _signature(method)
    return found


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returns}"


def _names(section: Section) -> str:
    stub = signatures(section.stub.read_text("utf-8"))
    reference = signatures(section.reference.read_text("utf-8"))
    for name in sorted(stub.keys() | reference.keys()):
        if stub.get(name) != reference.get(name):
            return f"{name} is {stub.get(name, 'missing')} in the stub and {reference.get(name, 'missing')} in the reference"
    return "" if stub else "the stub defines no public name"


def _imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "."


def _imports(section: Section) -> str:
    may_import = {*allowed(section), *(each.slug for each in used(section))}
    for path in (section.stub, section.reference):
        for line, name in _imported(path):
            if name.partition(".")[0] not in may_import:
                return f"{path.parent.name}/{path.name}, line {line}: {name} is not available to students"
    for path, may in ((section.visible_suite, SUITE_IMPORTS), (section.hidden_suite, HIDDEN_IMPORTS)):
        for line, name in _imported(path):
            if name not in may:
                return f"{path.name}, line {line}: a suite imports only {', '.join(sorted(may))}, not {name}"
    return ""


def _lesson(section: Section) -> str:
    if not section.readme.is_file():
        return "README.md is missing"
    text = section.readme.read_text("utf-8")
    if len(text) < LESSON_LEAST:
        return f"README.md has {len(text)} characters; a lesson that teaches has at least {LESSON_LEAST}"
    return "" if re.search(r"^#+ .*sources", text, re.IGNORECASE | re.MULTILINE) else "README.md names no sources"


def _titles(section: Section) -> str:
    for path in (section.visible_suite, section.hidden_suite):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node):
                return (
                    f"{path.name}, line {node.lineno}: {node.name} has no docstring, which is the title a student reads"
                )
    return ""


def _leak(section: Section) -> str:
    """Look for a statement of the reference in what students get."""
    squeeze = re.compile(r"\s+")
    reference = section.reference.read_text("utf-8")
    lines = reference.splitlines()
    secret: dict[str, int] = {}
    for node in ast.walk(ast.parse(reference)):
        if isinstance(node, ast.FunctionDef) and node.name not in section.given:
            docstring = node.body[0].end_lineno or 0 if ast.get_docstring(node) else node.lineno
            for number in range(max(docstring, node.body[0].lineno - 1), node.end_lineno or 0):
                line = squeeze.sub("", lines[number].split("  #")[0])
                if len(line) >= LEAK_LEAST and not line.startswith(("raise", "#", "def", '"""')):
                    secret[line] = number + 1
    for path in sorted(section.folder.iterdir()):
        if path.suffix in (".md", ".py", ".toml") and path.is_file():
            text = path.read_text("utf-8")
            if path.suffix == ".toml":  # the third hint is nearly code, by design
                text = re.sub(r"^hints = \[.*?^\]", "", text, flags=re.DOTALL | re.MULTILINE)
            squeezed = squeeze.sub("", text)
            for line, number in secret.items():
                if line in squeezed:
                    return f"{path.name} holds line {number} of the reference"
    return ""
