"""The catalogue of a section's mistakes: what people get wrong, as wrong code and the sentence that helps.

`mistakes.py` of a section is read, never run: its wrong code may use the reference's names. A mutant is the text of the
reference with one name replaced.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from .errors import CourseError

Definition = ast.FunctionDef | ast.ClassDef
Wrong = TypeVar("Wrong", bound=Callable[..., Any])


def mistake(
    target: str, *, says: str, killed_by: list[str], not_nameable: str | None = None
) -> Callable[[Wrong], Wrong]:
    """Mark wrong code for the name `target` of the reference.

    Args:
        target: a function or class of the reference.
        says: what to tell a student whose output looks like this.
        killed_by: numbers of the hidden tests that must fail it.
        not_nameable: why the diagnosis cannot tell it apart, where it cannot.
    """
    del target, says, killed_by, not_nameable
    return lambda wrong: wrong


def edit(
    name: str, target: str, *, says: str, killed_by: list[str], old: str, new: str, not_nameable: str | None = None
) -> None:
    """State a mistake as an edit: in the source of `target`, the text `old` (there exactly once) becomes `new`."""
    del name, target, says, killed_by, old, new, not_nameable


@dataclass(frozen=True, slots=True)
class Mistake:
    """One entry of the catalogue."""

    name: str
    target: str
    says: str
    killed_by: tuple[str, ...]
    not_nameable: str | None
    line: int  # in mistakes.py
    mutant: str  # the whole source of the wrong module


def catalogue(mistakes: Path, reference: Path) -> list[Mistake]:
    """Read a section's mistakes.

    Raises:
        CourseError: an entry is not written as docs/authoring.md says, or one of the files is no Python.
    """
    reader = _Reader(mistakes, mistakes.read_text("utf-8"), reference)
    found = [entry for node in reader.tree.body if (entry := reader.entry(node)) is not None]
    names = [entry.name for entry in found]
    for entry in found:
        if names.count(entry.name) > 1:
            raise CourseError(f"{mistakes}, line {entry.line}: there are two mistakes called {entry.name!r}.")
    return found


def reach(source: str) -> dict[str, frozenset[str]]:
    """For every name at the top of a module: the names there that its code can come to, its own included.

    Functions in a table are reached through the table's name. Names that are put together while the program runs are
    not seen.
    """
    nodes: dict[str, list[ast.stmt]] = {}
    for node in ast.parse(source).body:
        for name in _defined(node):
            nodes.setdefault(name, []).append(node)
    named = {
        name: {found.id for part in parts for found in ast.walk(part) if isinstance(found, ast.Name)} & nodes.keys()
        for name, parts in nodes.items()
    }
    known = {}
    for name in nodes:
        found, new = {name}, {name}
        while new:
            new = set().union(*(named[each] for each in new)) - found
            found |= new
        known[name] = frozenset(found)
    return known


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)}


def _parsed(path: Path, source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise CourseError(f"{path}, line {error.lineno}: {error.msg}.") from None


class _Reader:
    """Reads one mistakes.py beside its reference."""

    def __init__(self, path: Path, source: str, reference: Path) -> None:
        self._path, self._source, self._reference = path, source, reference.read_text("utf-8")
        self.tree = _parsed(path, source)
        self._definitions = {
            node.name: node
            for node in _parsed(reference, self._reference).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        self._shared = "\n".join(self._text(node) for node in self.tree.body if self._is_shared(node))

    def entry(self, node: ast.stmt) -> Mistake | None:
        """Return the mistake that a statement states, if it states one."""
        self._refuse_others(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            marks = [mark for mark in node.decorator_list if _calls(mark, "mistake")]
            return self._marked(node, marks[0]) if marks else None
        if isinstance(node, ast.Expr) and _calls(node.value, "edit"):
            return self._edited(node.value)
        return None

    def _refuse_others(self, node: ast.stmt) -> None:
        """A mark that is not where it is looked for would be a mistake that nobody proves."""
        calls = getattr(node, "decorator_list", []) or [getattr(node, "value", None)]
        read = [call.func for call in calls if _calls(call, "mistake") or _calls(call, "edit")][:1]
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in ("mistake", "edit") and each not in read:
                raise self._wrong(each, "a mistake stands at the top level, with one mark, called with all it needs")

    def _marked(self, node: Definition, mark: ast.expr) -> Mistake:
        (target,), options = self._arguments(mark, 1)
        self._definition(target, mark)
        others = [decorator for decorator in node.decorator_list if decorator is not mark]
        first = min([node.lineno, *(decorator.lineno for decorator in others)])
        wrong = "\n".join(self._source.splitlines()[first - 1 : node.end_lineno])
        renamed = f'{node.name}.__name__ = {node.name}.__qualname__ = "{target}"\n{target} = {node.name}\n'
        return self._mistake(
            node.name, target, options, node, f"{self._reference}\n\n{self._shared}\n\n\n{wrong}\n\n\n{renamed}"
        )

    def _edited(self, call: ast.expr) -> Mistake:
        (name, target), options = self._arguments(call, 2)
        definition = self._definition(target, call)
        old, new = options.pop("old", None), options.pop("new", None)
        if not isinstance(old, str) or not isinstance(new, str):
            raise self._wrong(call, "edit needs old= and new=, both texts")
        lines = self._reference.splitlines(keepends=True)
        first = min([definition.lineno, *(decorator.lineno for decorator in definition.decorator_list)]) - 1
        segment = "".join(lines[first : definition.end_lineno])
        if segment.count(old) != 1:
            raise self._wrong(call, f"the text {old!r} stands {segment.count(old)} times in {target}; once is needed")
        rest = "".join(lines[definition.end_lineno :])
        return self._mistake(name, target, options, call, "".join(lines[:first]) + segment.replace(old, new) + rest)

    def _mistake(
        self, name: str, target: str, options: dict[str, Any], node: ast.expr | ast.stmt, mutant: str
    ) -> Mistake:
        says, killed_by = options.pop("says", ""), options.pop("killed_by", [])
        reason = options.pop("not_nameable", None)
        if options:
            raise self._wrong(node, f"{next(iter(options))} is no option of a mistake")
        if not isinstance(says, str) or not says.strip() or not isinstance(killed_by, list) or not killed_by:
            raise self._wrong(node, f"{name} needs says= (a sentence) and killed_by= (numbers of hidden tests)")
        try:
            compile(mutant, f"<{name}>", "exec", dont_inherit=True)
        except SyntaxError as error:
            raise self._wrong(node, f"the mutant of {name} is no Python: {error.msg}") from None
        return Mistake(name, target, says, tuple(map(str, killed_by)), reason, node.lineno, mutant)

    def _arguments(self, call: ast.expr, count: int) -> tuple[list[str], dict[str, Any]]:
        assert isinstance(call, ast.Call)
        try:
            texts = [ast.literal_eval(argument) for argument in call.args]
            options = {keyword.arg or "**": ast.literal_eval(keyword.value) for keyword in call.keywords}
        except ValueError:
            raise self._wrong(call, "everything in it must be written out, not computed") from None
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            raise self._wrong(call, f"it needs {count} name{'s' if count > 1 else ''} first")
        return texts, options

    def _definition(self, target: str, node: ast.expr) -> Definition:
        if target not in self._definitions:
            raise self._wrong(node, f"the reference defines no {target!r}")
        return self._definitions[target]

    def _is_shared(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.ImportFrom):
            return node.module != "__future__" and not (node.module or "").startswith("nnkit")
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        return not docstring and self._states_nothing(node)

    @staticmethod
    def _states_nothing(node: ast.stmt) -> bool:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return not any(_calls(mark, "mistake") for mark in node.decorator_list)
        return not (isinstance(node, ast.Expr) and _calls(node.value, "edit"))

    def _text(self, node: ast.stmt) -> str:
        first = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))])
        return "\n".join(self._source.splitlines()[first - 1 : node.end_lineno])

    def _wrong(self, node: ast.expr | ast.stmt, what: str) -> CourseError:
        return CourseError(f"{self._path}, line {node.lineno}: {what}; see docs/authoring.md.")


def _calls(node: ast.AST | None, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
