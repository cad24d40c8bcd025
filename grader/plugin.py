"""The pytest plugin: fixtures for suites, points from gradescope-utils' decorators, and one record per test.

It is loaded by every pytest on the machine, so it imports nothing heavy until a test of ours asks for `student`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import AskedWrongly, NoSolutions

if TYPE_CHECKING:
    import numpy as np

    from .results import PlannedTest, Status, Suite, TestOutcome
    from .speed import Speed
    from .student import Student
    from .subject import Subject

SUBJECT = pytest.StashKey["Subject"]()
SUBJECTS_BY_FOLDER = pytest.StashKey["dict[Path, Subject]"]()
PLAN = pytest.StashKey["dict[str, PlannedTest]"]()
SINK = pytest.StashKey["Callable[[TestOutcome], None]"]()
EARNED = pytest.StashKey[float]()
LEADERBOARD = pytest.StashKey["dict[str, tuple[str, float, str]]"]()
OUTCOME = pytest.StashKey["TestOutcome"]()

HIDDEN_SUITE = "test_hidden.py"
STALE = ("__score__", "__leaderboard_value__")


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
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of this test's own: the same inputs at every run, others for every test."""
    import numpy as np

    subject, item = _subject(request.node), request.node
    return np.random.default_rng(subject.seeds.inputs(suite_of(item), subject.slug, item.name))


@pytest.fixture
def set_score(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Give partial credit, in units of the test's weight."""

    def give(score: float) -> None:
        request.node.stash[EARNED] = score

    return give


@pytest.fixture
def set_leaderboard_value(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Report a value for the leaderboard column named by `@leaderboard`."""

    def report(value: float) -> None:
        request.node.function.__leaderboard_value__ = value

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
        known[item.path] = local.subject_beside(item.path)
        known[item.path].begin(suite_of(item), item.name)
    return known[item.path]


# What a test is worth


def suite_of(item: pytest.Item) -> Suite:
    """Whether a test is of a hidden or of a visible suite."""
    return "hidden" if item.path.name == HIDDEN_SUITE else "visible"


def mark(item: pytest.Item, name: str) -> Any:
    """What one of gradescope-utils' decorators has written on the test, or on its class."""
    found = getattr(getattr(item, "function", None), name, None)
    return found if found is not None else getattr(getattr(item, "cls", None), name, None)


def planned(items: list[pytest.Item], points: float) -> list[PlannedTest]:
    """Fix, at collection, which tests there are and what each is worth."""
    from .explain import first_line
    from .results import PlannedTest, plan

    functions = [f"{item.path}::{getattr(item, 'originalname', item.name)}" for item in items]
    cases = {function: functions.count(function) for function in set(functions)}
    tests = []
    for item, function in zip(items, functions, strict=True):
        weight = mark(item, "__weight__")
        default = 0.0 if mark(item, "__leaderboard_column__") is not None else 1.0
        tests.append(
            PlannedTest(
                name=item.name,
                says=_title(first_line(getattr(getattr(item, "function", None), "__doc__", ""), item.name), item),
                suite=suite_of(item),
                number=str(mark(item, "__number__") or ""),
                weight=(default if weight is None else float(weight)) / cases[function],
                max_score=0.0,
                visibility=mark(item, "__visibility__") or ("visible" if suite_of(item) == "visible" else "after_published"),
                tags=tuple(mark(item, "__tags__") or ()),
            )
        )
    return plan(tests, points)


def _title(says: str, item: pytest.Item) -> str:
    case = getattr(getattr(item, "callspec", None), "id", None)
    return f"{says} [{case}]" if case else says


def earned(item: pytest.Item, test: PlannedTest, *, passed: bool) -> tuple[float, str]:
    """Return the share of its points that a test earned, and what is wrong with what it reported.

    Partial credit is kept when the test fails after giving it. A share that is not finite, negative or above 1 counts
    as nothing, and says so.
    """
    score = item.stash.get(EARNED, None)
    score = getattr(getattr(item, "function", None), "__score__", score) if score is None else score
    if score is None:
        return (1.0 if passed else 0.0), ""
    weight = float(mark(item, "__weight__") or 1.0)
    try:
        share = float(score) / weight
    except (TypeError, ValueError):
        share = math.nan
    if not 0.0 <= share <= 1.0:
        return 0.0, f"The test {test.name} reported a score of {score!r}; it must be a number from 0 to {weight:g}."
    return share, ""


# Hooks


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is known yet."""
    config.stash[LEADERBOARD] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start with nothing of the test before: parametrised cases share one function, and its score with it."""
    function = getattr(item, "function", None)
    for name in STALE:
        if hasattr(function, name):
            delattr(function, name)
    if EARNED in item.stash:
        del item.stash[EARNED]
    if OUTCOME in item.stash:
        del item.stash[OUTCOME]
    subject = item.config.stash.get(SUBJECT, None)
    if subject is None:
        subject = item.config.stash.get(SUBJECTS_BY_FOLDER, {}).get(item.path)
    if subject is not None:
        subject.begin(suite_of(item), item.name)


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
    from .results import TestOutcome

    test = item.config.stash[PLAN].get(f"{suite_of(item)}:{item.name}")
    if test is None:
        return
    if report.when == "teardown" and report.passed:
        return
    if report.when == "setup" and report.passed:
        return
    if report.skipped or hasattr(report, "wasxfail"):
        why = getattr(report, "wasxfail", "") or (call.excinfo.value if call.excinfo else "")
        item.stash[OUTCOME] = TestOutcome.of(test, "failed", message=f"It was skipped ({why}); that earns nothing.")
        return
    share, complaint = earned(item, test, passed=report.passed)
    if report.passed:
        status: Status = "unknown" if complaint else "passed" if share == 1.0 else "failed"
        partly = "" if share == 1.0 else f"Partly right: {share:.0%} of the points."
        _keep_leaderboard(item)
        item.stash[OUTCOME] = TestOutcome.of(
            test, status, share=share, seconds=report.duration, message=complaint or partly
        )
        return
    assert call.excinfo is not None
    item.stash[OUTCOME] = _failure(item, test, call.excinfo.value, report, share if report.when == "call" else 0.0)


def _failure(
    item: pytest.Item, test: PlannedTest, error: BaseException, report: Any, share: float
) -> TestOutcome:
    from .explain import explain, our_fault
    from .results import TestOutcome
    from .student import StudentError

    if report.when == "call" or isinstance(error, StudentError):
        told = explain(error, test.suite, instead=mark(item, "__hide_errors__"))
    else:
        told = our_fault(error)
    diagnosis = ""
    subject = item.config.stash.get(SUBJECT, None)
    if told.status == "failed" and subject is not None and subject.student.transcript:
        diagnosis = subject.diagnose(item.name, subject.student.transcript)
    return TestOutcome.of(
        test, told.status, share=share, seconds=report.duration, message=told.message, diagnosis=diagnosis
    )


def _keep_leaderboard(item: pytest.Item) -> None:
    column = mark(item, "__leaderboard_column__")
    value = getattr(getattr(item, "function", None), "__leaderboard_value__", None)
    if column is not None and isinstance(value, int | float) and math.isfinite(value):
        order = mark(item, "__leaderboard_sort_order__") or "desc"
        item.config.stash[LEADERBOARD][str(column)] = (str(column), float(value), str(order))

