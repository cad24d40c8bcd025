"""Static check of what a student's files import and name. They are read as trees; nothing of them is ever run.

Names are followed through imports, simple assignments and literal getattr, scope by scope. Whoever wants to hide a name
from this check can; it is there to say early, with the line, what a section asks to be written without.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

DEFAULT = ("__future__", "typing", "collections", "dataclasses", "functools", "itertools", "math", "numpy")
SIZE_LIMIT = 1 << 20  # bytes of one file
WORD_LIMIT = 100_000  # words and signs of one file: beyond, Python's parser takes gigabytes and minutes
# What Python may be told to read a file as. Python knows more, some of which take minutes for a megabyte.
ENCODINGS = re.compile(
    r"ascii|utf-8|iso8859-\d+|cp(125\d|437|85\d|866|932|949|950)|koi8-[ru]|mac-\w+|gb\w+|big5|shift_jis|euc_\w+"
)
IMPORTERS = ("builtins.__import__", "importlib.import_module")
MODULE = re.compile(r"\w+(\.\w+)*")
CHAIN_LIMIT = 40  # names behind names that are followed
NAMES_LIMIT = 32  # what one name may stand for


class Section(Protocol):
    """What is needed of a section; see nnkit.grader.course."""

    @property
    def number(self) -> str:
        """Like "13" or "29k"."""

    @property
    def slug(self) -> str:
        """The name of the student's module."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """numpy, and torch where the section uses it."""

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules allowed beside the default list."""

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Dotted names, in full."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something at one line of one file, with a sentence for the student."""

    file: str
    line: int
    name: str  # the dotted name that is meant; empty where the file as a whole is
    sentence: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What the check found, in the order of the lines, the section's own file first."""

    forbidden: tuple[Finding, ...] = ()  # names that the section does without: refused
    too_long: tuple[Finding, ...] = ()  # files that are not even read: refused
    unparsable: tuple[Finding, ...] = ()  # files that are not Python: they cannot be imported
    unavailable: tuple[Finding, ...] = ()  # modules that will be placeholders: fine while they are not used
    modules: tuple[str, ...] = ()  # allowed modules that are imported, in full: "numpy.linalg"

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Why the submission is not run for this section; empty where it is."""
        return self.too_long + self.forbidden


def allowed(section: Section) -> tuple[str, ...]:
    """Return the modules that a section's files may import."""
    torch = ("torch",) if "torch" in section.libraries else ()
    return (*DEFAULT, *torch, *section.imports)


def check(files: dict[str, bytes], section: Section) -> ImportReport:
    """Check the files of one submission for one section. Never raises for what is in a file.

    Args:
        files: name -> bytes of the section's main file and its helpers, all in one folder.
        section: what may be imported and what may not be named.
    """
    files = dict(sorted(files.items(), key=lambda item: (item[0] != f"{section.slug}.py", item[0])))
    too_long, unparsable, parsed = _parse_all(files)
    submission = _Submission(files, parsed)
    forbidden: list[Finding] = []
    unavailable: list[Finding] = []
    modules: set[str] = set()
    may = {name.partition(".")[0] for name in allowed(section)}
    for file, module in submission.files.items():
        for module_name, line in module.imports:
            if module_name.partition(".")[0] in may:
                modules.add(module_name)
            elif module_name not in submission.own and not any(_means(module_name, name) for name in section.forbidden):
                sentence = (
                    f"{file}, line {line}: {module_name} is not available in section {section.number}; do not use it."
                )
                unavailable.append(Finding(file, line, module_name, sentence))
        forbidden += _forbidden(file, module, submission, section)
    return ImportReport(
        forbidden=tuple(forbidden),
        too_long=tuple(too_long),
        unparsable=tuple(unparsable),
        unavailable=tuple(dict.fromkeys(unavailable)),
        modules=tuple(sorted(modules)),
    )


def module_names(files: dict[str, bytes]) -> frozenset[str]:
    """Return the top-level names of all modules that the files import, their own helpers left out."""
    submission = _Submission(files, _parse_all(files)[2])
    found = {name for module in submission.files.values() for name, _line in module.imports}
    return frozenset(name.partition(".")[0] for name in found - submission.own)


# From bytes to a tree


class _Unreadable(Exception):
    def __init__(self, line: int, why: str, *, too_long: bool = False) -> None:
        super().__init__(why)
        self.line, self.why, self.too_long = line, why, too_long


def _parse_all(files: dict[str, bytes]) -> tuple[list[Finding], list[Finding], dict[str, ast.Module]]:
    too_long: list[Finding] = []
    unparsable: list[Finding] = []
    parsed: dict[str, ast.Module] = {}
    for file, source in files.items():
        try:
            parsed[file] = _parse(source)
        except _Unreadable as error:
            finding = Finding(file, error.line, "", f"{file}, line {error.line}: {error.why}")
            (too_long if error.too_long else unparsable).append(finding)
    return too_long, unparsable, parsed


def _parse(source: bytes) -> ast.Module:
    """Return the tree of a file. Raises _Unreadable, and nothing else."""
    if len(source) > SIZE_LIMIT:
        why = f"the file has {len(source):,} bytes; at most {SIZE_LIMIT:,} are read. Send the code without data."
        raise _Unreadable(1, why, too_long=True)
    _check_text(source)
    words = 0
    for words, word in enumerate(re.finditer(rb"\w+|[^\w\s]", source)):
        if words > WORD_LIMIT:
            why = f"the file goes on for more than {WORD_LIMIT:,} words and signs. Send the code without data."
            raise _Unreadable(source.count(b"\n", 0, word.start()) + 1, why, too_long=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a text is nobody's concern here
            return ast.parse(source)
    except SyntaxError as error:
        text = (error.msg or "invalid syntax").splitlines()[0][:200]
        raise _Unreadable(error.lineno or 1, f"this is not Python: {text}.") from None
    except (RecursionError, MemoryError):
        raise _Unreadable(1, "the code is nested too deep for Python to read it; write it in steps.") from None
    except ValueError as error:
        raise _Unreadable(1, f"Python cannot read the file: {str(error)[:200]}.") from None


def _check_text(source: bytes) -> None:
    """Find out what Python would say about the bytes, and say it better."""
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Unreadable(1, "the file is saved as UTF-16; save it as UTF-8.")
    if (at := source.find(b"\0")) >= 0:
        raise _Unreadable(_line(source, at), "there is a null byte, so this is not a text; save the code as UTF-8.")
    try:
        encoding, _lines = tokenize.detect_encoding(io.BytesIO(source).readline)
        known = codecs.lookup(encoding).name.removesuffix("-sig")  # "latin-1" is iso8859-1
        if not ENCODINGS.fullmatch(known):
            raise _Unreadable(1, f"the file says that it is written in {encoding[:40]}; save it as UTF-8.")
        source.decode(encoding)
    except UnicodeDecodeError as error:
        why = f"byte 0x{source[error.start]:02x} is not {known.replace('utf', 'UTF')}; save the file as UTF-8."
        raise _Unreadable(_line(source, error.start), why) from None
    except (SyntaxError, LookupError, ValueError):  # detect_encoding's, about the cookie or the first two lines
        try:
            source.decode("utf-8")
        except UnicodeDecodeError as error:
            why = f"byte 0x{source[error.start]:02x} is not UTF-8; save the file as UTF-8."
            raise _Unreadable(_line(source, error.start), why) from None
        raise _Unreadable(1, "the file names an encoding that Python does not know; save it as UTF-8.") from None


def _line(source: bytes, position: int) -> int:
    return source.count(b"\n", 0, position) + 1


# From a tree to scopes


@dataclass(slots=True, eq=False)
class _Scope:
    """A module, class, function or comprehension, and what its names are bound to."""

    kind: str
    parent: _Scope | None
    # name -> what it is bound to, as far as known: dotted names, and expressions with the scope they stand in
    bound: dict[str, list[str | tuple[ast.expr, _Scope]]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)  # name -> "global" or "nonlocal"
    meant: dict[str, frozenset[str]] = field(default_factory=dict)  # answers already found

    def bind(self, name: str, *targets: str | tuple[ast.expr, _Scope]) -> None:
        scope = self
        if self.declared.get(name) == "global":
            while scope.parent is not None:
                scope = scope.parent
        elif name in self.declared and self.parent is not None:
            self.parent.bind(name, *targets)
            return
        scope.bound.setdefault(name, []).extend(targets)


class _Module:
    """One file: its scopes, its imports, and every expression that may mean something imported."""

    def __init__(self, tree: ast.Module) -> None:
        self.scope = _Scope("module", None)
        self.imports: list[tuple[str, int]] = []  # modules, with the line
        self.imported: list[tuple[str, int]] = []  # modules and names out of modules, with the line
        self.uses: list[tuple[ast.expr, _Scope]] = []
        # A stack of our own: a sum of a thousand terms is a tree a thousand deep.
        stack: list[tuple[ast.AST, _Scope]] = [(tree, self.scope)]
        while stack:
            stack.extend(reversed(list(self._step(*stack.pop()))))

    def _step(self, node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.AST, _Scope]]:
        """Take down one node; yield the nodes below it, each with its scope."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from self._function(node, scope)
                return
            case ast.ClassDef():
                scope.bind(node.name)
                inner = _Scope("class", scope)
                for child in ast.iter_child_nodes(node):
                    yield child, inner if isinstance(child, ast.stmt) else scope
                return
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                scope = _Scope("comprehension", scope)
            case ast.Import():
                self._import(node, scope)
            case ast.ImportFrom():
                self._import_from(node, scope)
            case ast.Global() | ast.Nonlocal():
                scope.declared.update(dict.fromkeys(node.names, type(node).__name__.lower()))
            case ast.Assign():
                for target in node.targets:
                    _bind_pairs(target, node.value, scope)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                scope.bind(name, (value, scope))
            case ast.NamedExpr(target=ast.Name(id=name)):
                outside = scope
                while outside.kind == "comprehension" and outside.parent is not None:
                    outside = outside.parent
                outside.bind(name, (node.value, scope))
                yield node.value, scope
                return
            case ast.Name():
                if isinstance(node.ctx, ast.Load):
                    self.uses.append((node, scope))
                else:
                    scope.bind(node.id)
            case ast.Attribute():  # the longest chain says it all
                self.uses.append((node, scope))
                base: ast.expr = node
                while isinstance(base, ast.Attribute):
                    base = base.value
                if not isinstance(base, ast.Name):
                    yield base, scope
                return
            case ast.Call() | ast.Subscript():
                self.uses.append((node, scope))
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name)
            case ast.MatchMapping(rest=str(name)):
                scope.bind(name)
        for child in ast.iter_child_nodes(node):
            yield child, scope

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: _Scope
    ) -> Iterator[tuple[ast.AST, _Scope]]:
        inner = _Scope("function", scope)
        taken = node.args
        ordered = [*taken.posonlyargs, *taken.args]
        for argument in [*ordered, *taken.kwonlyargs, taken.vararg, taken.kwarg]:
            if argument is not None:
                inner.bind(argument.arg)
        given = [*zip(reversed(ordered), reversed(taken.defaults)), *zip(taken.kwonlyargs, taken.kw_defaults)]  # noqa: B905
        for argument, default in given:
            if default is not None:
                inner.bind(argument.arg, (default, scope))
        yield taken, scope
        if isinstance(node, ast.Lambda):
            yield node.body, inner
            return
        scope.bind(node.name)
        for child in ast.iter_child_nodes(node):
            if child is not taken:
                yield child, inner if isinstance(child, ast.stmt) else scope

    def _import(self, node: ast.Import, scope: _Scope) -> None:
        for alias in node.names:
            self.imports.append((alias.name, node.lineno))
            self.imported.append((alias.name, node.lineno))
            root = alias.name.partition(".")[0]
            scope.bind(alias.asname or root, alias.name if alias.asname else root)

    def _import_from(self, node: ast.ImportFrom, scope: _Scope) -> None:
        module = node.module or ""
        if not node.level:
            self.imports.append((module, node.lineno))
        for alias in node.names:
            if alias.name == "*":
                self.imported.append((module, node.lineno))
                scope.stars.append(module)
                continue
            full = f"{module}.{alias.name}" if module else alias.name
            if not node.level:
                self.imported.append((full, node.lineno))
            scope.bind(alias.asname or alias.name, full)


def _bind_pairs(target: ast.expr, value: ast.expr, scope: _Scope) -> None:
    """Bind the names of `a = x` and of `a, b = x, y` to what they are assigned."""
    pairs = [(target, value)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, ast.Name):
            scope.bind(left.id, (right, scope))
        elif isinstance(left, ast.Tuple | ast.List) and isinstance(right, ast.Tuple | ast.List):
            same = len(left.elts) == len(right.elts)
            pairs += zip(left.elts, right.elts, strict=True) if same else ()


# From scopes to dotted names


class _Submission:
    """The files of one submission, which may import each other."""

    def __init__(self, files: dict[str, bytes], parsed: dict[str, ast.Module]) -> None:
        self.own = {file.removesuffix(".py") for file in files}
        self.files = {file: _Module(tree) for file, tree in parsed.items()}
        for module in self.files.values():
            for node, scope in module.uses:
                if isinstance(node, ast.Call) and (name := self._imported_by(node, scope)):
                    module.imports.append((name, node.lineno))
                    module.imported.append((name, node.lineno))
            module.imports.sort(key=lambda found: found[1])

    def names(self, node: ast.expr, scope: _Scope, depth: int = 0) -> frozenset[str]:
        """Return the dotted names that an expression may stand for; none where nothing is known."""
        if depth > CHAIN_LIMIT:
            return frozenset()
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        after = "".join(f".{name}" for name in reversed(attributes))
        found: set[str] = set()
        for name in self._base(node, scope, depth + 1):
            found |= self._through_own_files(name + after, depth + 1)
        return frozenset(sorted(found)[:NAMES_LIMIT])

    def _base(self, node: ast.expr, scope: _Scope, depth: int) -> frozenset[str]:
        match node:
            case ast.Name(id=name):
                return self._lookup(name, scope, depth)
            case ast.Call():
                return self._call(node, scope, depth)
            case ast.Subscript(
                value=value, slice=ast.Constant(value=str(key))
            ):  # vars(np)["tanh"], np.__dict__["tanh"]
                tables = self.names(value, scope, depth)
                return frozenset(
                    f"{name.removesuffix('.__dict__')}.{key}" for name in tables if name.endswith(".__dict__")
                )
            case ast.NamedExpr(value=value):
                return self.names(value, scope, depth)
            case ast.IfExp(body=one, orelse=other):
                return self.names(one, scope, depth) | self.names(other, scope, depth)
            case ast.BoolOp(values=values):
                return frozenset().union(*(self.names(value, scope, depth) for value in values[:NAMES_LIMIT]))
        return frozenset()

    def _call(self, node: ast.Call, scope: _Scope, depth: int) -> frozenset[str]:
        match node.args:
            case [ast.Constant(value=str(module)), *_]:
                function = self._importer(node, scope, depth)
                found = (
                    {module.partition(".")[0] if function == "builtins.__import__" else module} if function else set()
                )
            case [value, ast.Constant(value=str(name)), *_] if "builtins.getattr" in self.names(
                node.func, scope, depth
            ):
                found = {f"{base}.{name}" for base in self.names(value, scope, depth)}
            case [value] if "builtins.vars" in self.names(node.func, scope, depth):
                found = {f"{base}.__dict__" for base in self.names(value, scope, depth)}
            case _:
                found = set()
        return frozenset(found)

    def _imported_by(self, node: ast.Call, scope: _Scope) -> str:
        """Return the module that a call imports whose first argument is a literal, else nothing."""
        match node.args:
            case [ast.Constant(value=str(name)), *_] if MODULE.fullmatch(name) and self._importer(node, scope, 0):
                return name
        return ""

    def _importer(self, node: ast.Call, scope: _Scope, depth: int) -> str:
        """Return the full name of the function that is called with the name of a module, else nothing."""
        called = self.names(node.func, scope, depth)
        return next((name for name in IMPORTERS if name in called), "")

    def _lookup(self, name: str, scope: _Scope, depth: int) -> frozenset[str]:
        """Follow a name as Python does: through functions outwards, past classes, to the module and the builtins."""
        asked = scope
        at: _Scope | None = scope
        while at is not None:
            visible = at.kind != "class" or at is asked
            if visible and name in at.bound and name not in at.declared:
                return self._meaning(name, at, depth)
            if at.parent is None:
                return self._from_stars(name, at, depth) | {f"builtins.{name}"}
            at = at.parent
        return frozenset()

    def _from_stars(self, name: str, module: _Scope, depth: int) -> frozenset[str]:
        if name not in module.meant:
            module.meant[name] = frozenset()  # for two files that import all of each other
            found = [self._through_own_files(f"{star}.{name}", depth) for star in module.stars]
            module.meant[name] = frozenset().union(*found)
        return module.meant[name]

    def _meaning(self, name: str, scope: _Scope, depth: int) -> frozenset[str]:
        if name not in scope.meant:
            scope.meant[name] = frozenset()  # for a = b; b = a
            found: set[str] = set()
            for target in scope.bound[name]:
                if isinstance(target, str):
                    found |= self._through_own_files(target, depth)
                else:
                    found |= self.names(*target, depth)
            scope.meant[name] = frozenset(sorted(found)[:NAMES_LIMIT])
        return scope.meant[name]

    def _through_own_files(self, name: str, depth: int) -> frozenset[str]:
        """Return what helper.np.tanh stands for where helper.py is one of the files, else the name itself."""
        pending, met, found = [name], {name}, set()
        while pending:
            asked = pending.pop()
            root, _, rest = asked.partition(".")
            module = self.files.get(f"{root}.py")
            if module is None or not rest or depth > CHAIN_LIMIT or len(met) > NAMES_LIMIT:
                found.add(asked)
                continue
            first, dot, more = rest.partition(".")
            inside = self._lookup(first, module.scope, depth + 1)
            new = {f"{name}{dot}{more}" for name in inside if not name.startswith("builtins.")} - met
            met |= new
            pending += new
        return frozenset(found)


def _forbidden(file: str, module: _Module, submission: _Submission, section: Section) -> Iterator[Finding]:
    """Yield a finding for every line that imports or names what the section does without.

    An imported name is told where it is imported, not wherever it is used.
    """
    told: set[str] = set()
    found: list[tuple[int, str, str]] = []
    for used, line in module.imported:
        if used.partition(".")[0] in submission.own:
            continue
        for forbidden in section.forbidden:
            if _means(used, forbidden):
                told.add(forbidden)
                found.append((line, used, forbidden))
    open_names = [forbidden for forbidden in section.forbidden if forbidden not in told]
    for node, scope in module.uses if open_names else ():
        for used in submission.names(node, scope):
            found += [(node.lineno, used, forbidden) for forbidden in open_names if _means(used, forbidden)]
    lines: set[tuple[int, str]] = set()
    for line, used, forbidden in sorted(found):
        if (line, forbidden) not in lines:
            lines.add((line, forbidden))
            last = used.rpartition(".")[2]
            task = "do without" if used == forbidden and "." not in used else f"write {last} without"
            sentence = f"{file}, line {line}: section {section.number} asks you to {task} {forbidden}."
            yield Finding(file, line, used, sentence)


def _means(used: str, forbidden: str) -> bool:
    """Whether a dotted name is a forbidden one, lies in it, or is it by a longer way: numpy.core.umath.tanh."""
    if used == forbidden or used.startswith(f"{forbidden}."):
        return True
    parts, wanted = used.split("."), forbidden.split(".")
    left = iter(parts)
    return parts[0] == wanted[0] and all(part in left for part in wanted)
