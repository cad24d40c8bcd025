"""The pytest plugin: fixtures for suites, points from gradescope-utils' decorators, and one record per test.

It is loaded by every pytest on the machine, so it imports nothing heavy until a test of ours asks for `student`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .errors import AskedWrongly, CourseError, NoSolutions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from .kernels.gpu import DeviceKernel
    from .kernels.look import Look
    from .results import PlannedTest, Status, Suite, TestOutcome
    from .speed import Speed
    from .student import Student
    from .subject import Subject
    from .training import Training

SUBJECT: pytest.StashKey[Subject] = pytest.StashKey()
SUBJECTS_BY_FOLDER: pytest.StashKey[dict[Path, Subject]] = pytest.StashKey()
PLAN: pytest.StashKey[dict[str, PlannedTest]] = pytest.StashKey()
SINK: pytest.StashKey[Callable[[TestOutcome], None]] = pytest.StashKey()
EARNED = pytest.StashKey[float]()
LEADERBOARD: pytest.StashKey[dict[str, tuple[str, float, str]]] = pytest.StashKey()
REPORTED = pytest.StashKey[Any]()
TOLD = pytest.StashKey[list[str]]()
OUTCOME: pytest.StashKey[TestOutcome] = pytest.StashKey()

HIDDEN_SUITE = "test_hidden.py"
STALE = ("__score__", "__leaderboard_value__")
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
ORDERS = ("asc", "desc")
NEARLY = 1e-9  # relative: 0.1 + 0.2 of a weight of 0.3 is all of it


# Fixtures


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Student:
    """The student's module: call its functions as if it had been imported."""
    return _subject(request.node).student


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Student:
    """The reference, called the same way as `student`. Hidden suites only."""
    found = _subject(request.node).reference
    if found is None:
        raise NoSolutions("There are no solutions here, so there is no `reference`.")
    return found


@pytest.fixture
def speed(request: pytest.FixtureRequest) -> Speed:
    """Compares the student's processor time with the reference's. Hidden suites only."""
    found = _subject(request.node).speed
    if found is None:
        raise AskedWrongly("Speed is measured when a submission is graded, not here.")
    return found


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Look:
    """Measures speed and memory of kernels (docs/kernels.md)."""
    found = _subject(request.node).kernel
    if found is None:
        raise AskedWrongly("Kernels are measured in the kernel tracks, not here.")
    return found


@pytest.fixture
def gpu(request: pytest.FixtureRequest) -> DeviceKernel:
    """Measures kernels on a device (docs/kernels.md). Only tests with the tag `gpu` may ask for it."""
    found = _subject(request.node).gpu
    if found is None:
        raise AskedWrongly("Kernels on a device are measured by `nnkit grade --gpu` where there is one, not here.")
    return found


@pytest.fixture
def training(request: pytest.FixtureRequest) -> Training:
    """Has the student's code train in a worker of its own, on digits made unknown. Hidden suites only."""
    found = _subject(request.node).training
    if found is None:
        raise AskedWrongly("Trainings are run when a submission is graded, not here.")
    return found


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keep a sentence with the outcome, whether the test passes or fails: what was measured, and with what."""
    told: list[str] = request.node.stash.setdefault(TOLD, [])
    return told.append


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of this test's own: the same inputs at every run, others for every test."""
    import numpy as np

    subject, item = _subject(request.node), request.node
    return np.random.default_rng(subject.seeds.inputs(suite_of(item), subject.slug, name_of(item)))


@pytest.fixture
def set_score(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Give partial credit, in units of the test's weight."""

    def give(score: float) -> None:
        request.node.stash[EARNED] = score

    return give


@pytest.fixture
def set_leaderboard_value(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Report a value for the leaderboard column named by `@leaderboard`, or after the test's title."""

    def report(value: float) -> None:
        request.node.stash[REPORTED] = value

    return report


def _subject(item: pytest.Item) -> Subject:
    config = item.config
    found = config.stash.get(SUBJECT, None)
    return found if found is not None else _subject_beside(item)


def _subject_beside(item: pytest.Item) -> Subject:
    """Plain pytest in a student's folder: `test_relu.py` tests the `relu.py` beside it."""
    from . import local

    known = item.config.stash.setdefault(SUBJECTS_BY_FOLDER, {})
    if item.path not in known:
        try:
            known[item.path] = local.subject_beside(item.path)
        except AskedWrongly as error:
            pytest.fail(str(error), pytrace=False)
        known[item.path].begin(suite_of(item), name_of(item))
    return known[item.path]


# What a test is worth


def suite_of(item: pytest.Item) -> Suite:
    """Whether a test is of a hidden or of a visible suite."""
    return "hidden" if item.path.name == HIDDEN_SUITE else "visible"


def name_of(item: pytest.Item) -> str:
    """The name of a test within its suite: of the function with the case in brackets, after its classes."""
    return ".".join([*(node.name for node in item.listchain() if isinstance(node, pytest.Class)), item.name])


def mark(item: pytest.Item, name: str) -> Any:
    """What one of gradescope-utils' decorators has written on the test, or on a class around it."""
    classes = [node.obj for node in reversed(item.listchain()) if isinstance(node, pytest.Class)]
    found = (getattr(marked, name, None) for marked in (getattr(item, "function", None), *classes))
    return next((value for value in found if value is not None), None)


def reported(item: pytest.Item, name: str) -> Any:
    """What the test told a decorator while it ran. Each decorator keeps that on its own layer around the function."""
    return next((vars(layer)[name] for layer in _layers(item) if name in vars(layer)), None)


def _layers(item: pytest.Item) -> Iterator[Any]:
    layer = getattr(item, "function", None)
    while layer is not None:
        yield layer
        layer = getattr(layer, "__wrapped__", None)


def planned(items: list[pytest.Item], points: float) -> list[PlannedTest]:
    """Fix, at collection, which tests there are and what each is worth.

    Raises:
        CourseError: a decorator says what cannot be, or two tests of one suite have the same name.
    """
    from .explain import first_line
    from .results import PlannedTest, plan

    functions = [f"{item.path}::{name_of(item).partition('[')[0]}" for item in items]
    tests = []
    for item, function in zip(items, functions, strict=True):
        suite = suite_of(item)
        usual = "visible" if suite == "visible" else "after_published"
        tests.append(
            PlannedTest(
                name=name_of(item),
                says=_title(first_line(getattr(getattr(item, "function", None), "__doc__", ""), item.name), item),
                suite=suite,
                number=str(mark(item, "__number__") or ""),
                weight=_weight(item) / functions.count(function),
                max_score=0.0,
                visibility=_one_of(item, "__visibility__", VISIBILITIES, usual),
                tags=tuple(map(str, mark(item, "__tags__") or ())),
            )
        )
        _one_of(item, "__leaderboard_sort_order__", ORDERS, "desc")
    if len({(test.suite, test.name) for test in tests}) < len(tests):
        raise CourseError("Two tests of one suite have the same name; give each its own.")
    for suite in {test.suite for test in tests}:
        if not any(test.weight for test in tests if test.suite == suite):
            raise CourseError(f"All tests of the {suite} suite weigh nothing; give at least one a weight above 0.")
    return plan(tests, points)


def _title(says: str, item: pytest.Item) -> str:
    case = getattr(getattr(item, "callspec", None), "id", None)
    return f"{says} [{case}]" if case else says


def _weight(item: pytest.Item) -> float:
    """What a test's function weighs. Visible ones weigh the same; one for the leaderboard is for nothing else."""
    usual = 0.0 if mark(item, "__leaderboard_column__") is not None else 1.0
    given = mark(item, "__weight__") if suite_of(item) == "hidden" else None
    weight = usual if given is None else _number(given)
    if not 0.0 <= weight < math.inf:
        raise CourseError(f"{item.path.name}, {name_of(item)}: a weight is a number from 0 on, not {given!r}.")
    return weight


def _one_of(item: pytest.Item, name: str, known: tuple[str, ...], usual: str) -> str:
    given = mark(item, name)
    if given is not None and given not in known:
        what = name.strip("_").replace("_", " ")
        raise CourseError(f"{item.path.name}, {name_of(item)}: the {what} is one of {', '.join(known)}, not {given!r}.")
    return usual if given is None else str(given)


def _number(value: Any) -> float:
    """A value as a number; NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def earned(item: pytest.Item, test: PlannedTest, *, passed: bool) -> tuple[float, str]:
    """Return the share of its points that a test earned, and what is wrong with what it reported.

    Partial credit is kept when the test fails after giving it. A share that is not finite, negative or above 1 counts
    as nothing, and says so.
    """
    score = item.stash.get(EARNED, None)
    score = reported(item, "__score__") if score is None else score
    if score is None:
        return (1.0 if passed else 0.0), ""
    weight = _number(mark(item, "__weight__") or 1.0)
    share = _number(score) / weight
    if not 0.0 <= share <= 1.0 + NEARLY:
        told = reprlib.repr(score)
        return 0.0, f"The test {test.name} reported a score of {told}; it must be a number from 0 to {weight:g}."
    return (1.0 if share >= 1.0 - NEARLY else share), ""


# Hooks


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is known yet."""
    config.stash[LEADERBOARD] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start with nothing of the test before: parametrised cases share one function, and its score with it."""
    if SINK in item.config.stash:
        for layer in _layers(item):
            for name in STALE:
                vars(layer).pop(name, None)
    for key in (EARNED, REPORTED, TOLD, OUTCOME):
        if key in item.stash:
            del item.stash[key]
    subject = item.config.stash.get(SUBJECT, None)
    if subject is None:
        subject = item.config.stash.get(SUBJECTS_BY_FOLDER, {}).get(item.path)
    if subject is not None:
        subject.begin(suite_of(item), name_of(item))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what plain pytest in a student's folder does not do."""
    if config.stash.get(SUBJECTS_BY_FOLDER, None):
        terminalreporter.write_line("Nothing guarded this run; `nnkit check` stops a loop that never ends.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Make the outcome of a test as soon as it is known, and hand it on when the test is wholly over."""
    report: Any = yield
    sink = item.config.stash.get(SINK, None)
    if sink is not None:
        _note(item, call, report)
        if report.when == "teardown" and OUTCOME in item.stash:
            sink(item.stash[OUTCOME])
    return report  # type: ignore[no-any-return]


def _note(item: pytest.Item, call: pytest.CallInfo[None], report: Any) -> None:
    test = item.config.stash[PLAN].get(f"{suite_of(item)}:{name_of(item)}")
    if test is None or (report.passed and report.when != "call"):
        return
    if (useless := _not_counted(call, report)) is not None:
        item.stash[OUTCOME] = _outcome(test, "failed", seconds=report.duration, message=useless)
    elif report.passed:
        item.stash[OUTCOME] = _success(item, test, report)
    else:
        assert call.excinfo is not None
        item.stash[OUTCOME] = _failure(item, test, call.excinfo.value, report)


def _not_counted(call: pytest.CallInfo[None], report: Any) -> str | None:
    """Why a test that did not simply pass or fail earns nothing; None where it did."""
    if hasattr(report, "wasxfail") or (report.failed and call.excinfo is None):
        why = getattr(report, "wasxfail", "") or str(report.longrepr or "")
        return f"It is marked as expected to fail{f' ({why})' if why else ''}; that earns nothing."
    if report.skipped:
        why = str(call.excinfo.value) if call.excinfo else ""
        return f"It was skipped{f' ({why})' if why else ''}; that earns nothing."
    return None


def _success(item: pytest.Item, test: PlannedTest, report: Any) -> TestOutcome:
    share, complaint = earned(item, test, passed=True)
    partly = f"Partly right: {share:.0%} of the points." if share < 1.0 else ""
    subject = item.config.stash.get(SUBJECT, None)
    measured = []
    if subject is not None:
        measured = [*subject.told, *subject.log]
        item.config.stash[LEADERBOARD].update({entry[0]: entry for entry in subject.board})
    told = [complaint or partly, _keep_leaderboard(item, test), *measured, *item.stash.get(TOLD, [])]
    return _outcome(
        test,
        "passed" if share == 1.0 else "failed",
        share=share,
        seconds=report.duration,
        message="\n".join(filter(None, told)),
    )


def _failure(item: pytest.Item, test: PlannedTest, error: BaseException, report: Any) -> TestOutcome:
    from .explain import explain, is_about_the_student, our_fault

    subject = item.config.stash.get(SUBJECT, None)
    if report.when == "call" or is_about_the_student(error):
        sources = subject.student.files.sources if subject is not None else {}
        told = explain(error, test.suite, instead=mark(item, "__hide_errors__"), sources=sources)
    else:
        told = our_fault(error)
    share = earned(item, test, passed=False)[0] if report.when == "call" else 0.0
    diagnosis = ""
    if told.status == "failed" and not told.unwritten and subject is not None and subject.student.transcript:
        diagnosis = subject.diagnose(test.name, subject.student.transcript)
    measured = subject.log if subject is not None else []
    message = "\n".join([told.message, *measured, *item.stash.get(TOLD, [])])
    return _outcome(test, told.status, share=share, seconds=report.duration, message=message, diagnosis=diagnosis)


def _keep_leaderboard(item: pytest.Item, test: PlannedTest) -> str:
    """Keep what a passed test reported for the leaderboard; return what is wrong with it."""
    given = item.stash.get(REPORTED, None)
    given = reported(item, "__leaderboard_value__") if given is None else given
    if given is None:
        return ""
    if not math.isfinite(value := _number(given)):
        return f"The leaderboard takes finite numbers, not {reprlib.repr(given)}."
    column = str(mark(item, "__leaderboard_column__") or test.says)
    order = _one_of(item, "__leaderboard_sort_order__", ORDERS, "desc")
    item.config.stash[LEADERBOARD][column] = (column, value, order)
    return ""


def _outcome(test: PlannedTest, status: Status, **told: Any) -> TestOutcome:
    from .results import TestOutcome

    return TestOutcome.of(test, status, **told)
