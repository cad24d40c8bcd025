"""One pytest session over a section's suites, for as many subjects as there are.

The suites are collected once; then every subject goes through the same items with fresh fixtures. Nothing grows with
the number of subjects, and what pytest costs at its start is paid once for a whole class.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from . import plugin
from .errors import AskedWrongly, CourseError
from .results import PlannedTest, TestOutcome
from .subject import Subject

# What a session of ours has no use for costs time at every item.
UNUSED = (
    "cacheprovider", "capture", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging",
    "monkeypatch", "pastebin", "recwarn", "setuponly", "setupplan", "stepwise", "subtests", "terminal",
    "threadexception", "tmpdir", "unittest", "unraisableexception", "warnings",
)  # fmt: skip
TALKING = {"capture", "debugging", "terminal"}  # what a debugger needs


@dataclass(slots=True)
class Visit:
    """One subject's way through the session.

    Attributes:
        subject: whose code.
        wants: which planned tests to run; all by default.
        heard: called with every outcome; returns whether to go on with this subject.
        begins: called before every test.
        done: called at the end with the leaderboard's entries, also when the session is broken off.
    """

    subject: Subject
    wants: Callable[[PlannedTest], bool] = field(default=lambda _test: True)
    heard: Callable[[TestOutcome], bool] = field(default=lambda _outcome: True)
    begins: Callable[[PlannedTest], None] = field(default=lambda _test: None)
    done: Callable[[list[tuple[str, float, str]]], None] = field(default=lambda _leaderboard: None)


class _Loop:
    """Takes the place of pytest's own loop over the items."""

    def __init__(
        self, visits: Iterable[Visit], points: float, planned: Callable[[list[PlannedTest]], None]
    ) -> None:
        self._visits, self._points, self._planned = visits, points, planned
        self.problems: list[str] = []
        self._go_on = True
        self._visit: Visit | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot be collected is our fault, and is told."""
        if report.failed:
            self.problems.append(str(report.longrepr)[-2000:])

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Lead every subject through the items."""
        if self.problems or session.testsfailed:
            return True
        items, config = session.items, session.config
        tests = plugin.planned(items, self._points)
        names = {f"{test.suite}:{test.name}": test for test in tests}
        if len(names) != len(tests):
            self.problems.append("two tests of one suite have the same name")
            return True
        config.stash[plugin.PLAN] = names
        config.stash[plugin.SINK] = self._hear
        self._planned(tests)
        for visit in self._visits:
            self._visit, self._go_on = visit, True
            config.stash[plugin.SUBJECT] = visit.subject
            config.stash[plugin.LEADERBOARD] = {}
            try:
                self._lead(visit, list(zip(items, tests, strict=True)))
            finally:
                visit.done(list(config.stash[plugin.LEADERBOARD].values()))
        return True

    def _lead(self, visit: Visit, items: list[tuple[pytest.Item, PlannedTest]]) -> None:
        wanted = [(item, test) for item, test in items if visit.wants(test)]
        for place, (item, test) in enumerate(wanted):
            following = wanted[place + 1][0] if place + 1 < len(wanted) else items[0][0]
            visit.begins(test)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if not self._go_on:
                return

    def _hear(self, outcome: TestOutcome) -> None:
        assert self._visit is not None
        self._go_on = self._visit.heard(outcome)


def run(
    suites: Sequence[Path],
    visits: Iterable[Visit],
    *,
    points: float,
    planned: Callable[[list[PlannedTest]], None] = lambda _tests: None,
    timeout: float = 0,
    keyword: str = "",
    debugger: bool = False,
) -> None:
    """Collect the suites and lead every visit's subject through them.

    Args:
        suites: files of tests.
        visits: taken one at a time; a generator may make the next subject while one is tested.
        points: of the section, shared out among the tests.
        planned: called once with the plan, before the first visit.
        timeout: seconds one test may hold up this process, the outer belt around the workers' own deadlines.
        keyword: as pytest's -k.
        debugger: show pytest's own output and stop in its debugger at a failure.

    Raises:
        CourseError: a suite cannot be collected, or holds no test.
        AskedWrongly: no test matches the keyword.
    """
    loop = _Loop(visits, points, planned)
    arguments = [
        "-c", os.devnull, f"--rootdir={suites[0].parent}", "--noconftest", "--import-mode=importlib",
        "-p", "nnkit.grader.plugin",
        *(argument for name in UNUSED if not (debugger and name in TALKING) for argument in ("-p", f"no:{name}")),
        *(("-p", "pytest_timeout", f"--timeout={timeout}", "--timeout-method=signal") if timeout else ()),
        *(("--pdb",) if debugger else ()),
        *(("-k", keyword) if keyword else ()),
        *map(str, suites),
    ]  # fmt: skip
    before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        status = pytest.main(arguments, plugins=[loop])
    finally:
        if before is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = before
        for suite in suites:
            _forget(suite)
    if loop.problems:
        raise CourseError(f"The suites of {suites[0].parent.name} cannot be collected: {loop.problems[0]}")
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        if keyword:
            raise AskedWrongly(f"No test of {suites[0].parent.name} matches {keyword!r}; leave -k out to run all.")
        raise CourseError(f"{', '.join(map(str, suites))}: there is no test in it.")
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise CourseError(f"pytest ended with {status!r} on {suites[0].parent.name}.")


def _forget(suite: Path) -> None:
    """A later session of this process reads the suite anew."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == str(suite):
            del sys.modules[name]
