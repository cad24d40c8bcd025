"""Imports point down, as design and docs/architecture.md say; what runs beside student code stays by itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nnkit

ROOT = Path(nnkit.__file__).parent
# From the top of the house to its ground: a module imports only from lines below its own.
# A new module is put where it belongs; `package.*` stands for all modules of a folder.
STOREYS = [
    "cli",
    "report.*",
    "check doctor fetching grade train validate",
    "check_session train_session course_table grading release",
    "grading_session",
    "session",
    "plugin",
    "local subjects",
    "diagnosis explain",
    "subject",
    "speed training kernels.*",
    "foreseeing",
    "remembering remote",
    "processes student",
    "observed transport",
    "compare fresh",
    "zygote",
    "jailed",
    "worker",
    "channel",
    "codec toolbox",
    "hints",
    "data drawing inspection workspace exchange.*",
    "course",
    "cores environment imports mistakes mutants results seeds sandbox.*",
    "errors",
]
JAILED = {"channel", "codec", "jailed", "worker", "zygote", "fresh", "toolbox", "errors"}  # and sandbox.*


def modules():
    """Every module of the grader by its name within it, and the command."""
    files = [path for path in (ROOT / "grader").rglob("*.py") if path.name != "__init__.py"]
    named = {".".join(path.relative_to(ROOT / "grader").with_suffix("").parts): path for path in files}
    packages = {path.parent.name: path for path in (ROOT / "grader").rglob("*/__init__.py")}
    return {"cli": ROOT / "cli.py", **named, **{f"{name}.__init__": path for name, path in packages.items()}}


MODULES = modules()


def imported(name):
    """What a module imports, wherever in its text, as (dotted name, line); what only a type checker reads is left out."""
    path = MODULES[name]
    package = ["nnkit"] if name == "cli" else ["nnkit", "grader", *name.split(".")[:-1]]
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield start, node.lineno
            yield from ((f"{start}.{alias.name}", node.lineno) for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def own(dotted):
    """The module of ours that a dotted name means, or None: "nnkit.grader.course.Section" is no module."""
    if dotted == "nnkit.cli":
        return "cli"
    short = dotted.removeprefix("nnkit.grader.") if dotted.startswith("nnkit.grader.") else ""
    return short if short in MODULES else f"{short}.__init__" if f"{short}.__init__" in MODULES else None


def storey(name):
    found = [
        number
        for number, line in enumerate(STOREYS)
        if name in line.split() or f"{name.partition('.')[0]}.*" in line.split()
    ]
    assert len(found) == 1, f"put {name} into STOREYS, once, where it belongs"
    return found[0]


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    """Every module imports only from storeys below its own; within a folder of modules, from each other too"""
    for dotted, line in imported(name):
        other = own(dotted)
        if other is None or other == name or other.partition(".")[0] == name.partition(".")[0] != name:
            continue
        assert storey(other) > storey(name), f"{name}, line {line}: {other} is not below"


@pytest.mark.parametrize("name", [n for n in MODULES if n in JAILED or n.startswith("sandbox.")])
def test_what_runs_beside_student_code_stays_by_itself(name):
    """The jailed side imports only its own modules, the standard library, numpy, torch and msgspec"""
    for dotted, line in imported(name):
        root = dotted.partition(".")[0]
        if root == "nnkit":
            other = own(dotted)
            assert other is None or other in JAILED or other.startswith("sandbox."), f"{name}, line {line}: {dotted}"
        else:
            assert root in sys.stdlib_module_names | {"numpy", "torch", "msgspec"}, f"{name}, line {line}: {dotted}"


@pytest.mark.parametrize(("name", "may"), [("results", set()), ("codec", {"errors"}), ("compare", {"codec", "errors"})])
def test_the_ground_floor_carries_nothing(name, may):
    """What every other module and every suite stands on imports next to nothing of ours"""
    assert {found for dotted, _line in imported(name) if (found := own(dotted))} <= may


def test_nobody_imports_the_command():
    """cli is the top: nothing reaches up to it"""
    for name in MODULES:
        assert not [line for dotted, line in imported(name) if dotted == "nnkit.cli" or dotted.startswith("nnkit.cli.")]


def test_course_files_are_never_imported():
    """exercises/ and solutions/ are loaded by path, so that a student's file is the one that is tested"""
    for name in MODULES:
        for dotted, line in imported(name):
            parts = dotted.split(".")
            assert not {"exercises", "solutions"} & set(parts), f"{name}, line {line}: {dotted}"
    assert not list((ROOT / "exercises").glob("**/__init__.py"))
    assert not list((ROOT / "solutions").glob("**/__init__.py"))


def test_the_reading_of_imports_reads_them():
    """The test above would notice: relative and absolute imports are found, in functions too, types alone are not"""
    found = {own(dotted) for dotted, _line in imported("check")} - {None}
    assert found == {"check_session", "course", "environment", "workspace", "errors"}
    assert {own(dotted) for dotted, _line in imported("report.terminal")} <= {None, "results"}
    assert {"zygote", "sandbox.limits", "sandbox.__init__", "exchange.plain", "cli"} <= set(MODULES)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("nnkit.grader.plugin", {"numpy", "torch", "msgspec", "typer"}),
        ("nnkit.grader.check", {"numpy", "torch", "msgspec", "pytest", "typer"}),
        ("nnkit.grader.report.terminal", {"numpy", "torch", "msgspec", "pytest", "typer", "rich"}),
        (
            "nnkit.grader.check_session",
            {"torch", "typer", "gradescope_utils", "pytest_timeout", "nnkit.grader.processes"},
        ),
        ("nnkit.grader.grading", {"torch", "typer"}),
    ],
)
def test_what_importing_a_module_loads(module, heavy):
    """The plugin loads no numpy, the watching side of a check no pytest, and nothing of ours loads torch"""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert not heavy & set(done.stdout.split())
