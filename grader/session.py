"""One pytest session over a section's suites, for as many subjects as there are.

The suites are collected once; then every subject goes through the same items with fresh fixtures. Nothing grows with
the number of subjects, and what pytest costs at its start is paid once for a whole class.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

import pytest
from _pytest._io import TerminalWriter

from . import plugin
from .errors import AskedWrongly, CourseError, NothingMatches, OurFault
from .results import PlannedTest, TestOutcome
from .subject import Subject

GPU = "gpu"  # the tag of tests that need a device
AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
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


class _Nowhere(io.TextIOBase):
    """A file that keeps nothing."""

    def write(self, text: str) -> int:
        """Forget the text."""
        return len(text)


class _NoTerminal:
    """Stands where pytest's terminal would: pytest-timeout writes there before it fails a test."""

    def __init__(self) -> None:
        self._tw = TerminalWriter(cast("TextIO", _Nowhere()))
        self._tw.hasmarkup = False  # whatever FORCE_COLOR says: pytest paints its comparisons with it


class _Loop:
    """Takes the place of pytest's own loop over the items."""

    def __init__(
        self, visits: Iterable[Visit], points: float, planned: Callable[[list[PlannedTest]], None],
        without: Collection[str],
    ) -> None:  # fmt: skip
        self._visits, self._points, self._planned, self._without = visits, points, planned, set(without)
        self.problems: list[str] = []
        self.misused = ""  # what pytest says about the keyword
        self.raised: BaseException | None = None  # pytest itself would print it and go on
        self._plan: dict[pytest.Item, PlannedTest] = {}
        self._go_on = True
        self._visit: Visit | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Give pytest-timeout something to write to."""
        if not config.pluginmanager.has_plugin("terminalreporter"):
            config.pluginmanager.register(_NoTerminal(), "terminalreporter")

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """What suites print when they are read is of no interest."""
        with unheard():
            return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot be collected is our fault, and is told."""
        if report.failed:
            self.problems.append(str(report.longrepr)[-2000:])

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Somebody presses Ctrl-C while the suites are read: pytest itself would end with a number."""
        if isinstance(excinfo.value, KeyboardInterrupt):
            self.raised = excinfo.value

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Keep what broke pytest itself, which would print it."""
        self.raised = excinfo.value
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        """Make the plan while all tests are there: what a keyword leaves out keeps its share of the points.

        What cannot be run here at all leaves its share to the others.
        """
        items[:] = [item for item in items if self._without.isdisjoint(plugin.mark(item, "__tags__") or ())]
        try:
            self._plan = dict(zip(items, plugin.planned(items, self._points), strict=True))
        except CourseError as error:
            self.raised = error
        try:
            yield
        except pytest.UsageError as error:
            self.misused = str(error)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Lead every subject through the items."""
        if not (self.problems or self.misused or self.raised or session.testsfailed) and session.items:
            try:
                self._lead_all(session)
            except pytest.exit.Exception:
                pass  # a person left the debugger
            except BaseException as error:  # noqa: BLE001  raised again as it is, once pytest is through
                self.raised = error
        return True

    def _lead_all(self, session: pytest.Session) -> None:
        items, config = [(item, self._plan[item]) for item in session.items], session.config
        config.stash[plugin.PLAN] = {f"{test.suite}:{test.name}": test for _item, test in items}
        config.stash[plugin.SINK] = self._hear
        if not config.getoption("usepdb", default=False):
            config.option.tbstyle = "no"  # nobody reads pytest's own account of a failure, and it is dear
        self._planned([test for _item, test in items])
        for visit in self._visits:
            self._visit, self._go_on = visit, True
            config.stash[plugin.SUBJECT] = visit.subject
            config.stash[plugin.LEADERBOARD] = {}
            try:
                self._lead(visit, [(item, test) for item, test in items if visit.wants(test)])
            finally:
                visit.done(list(config.stash[plugin.LEADERBOARD].values()))

    def _lead(self, visit: Visit, wanted: list[tuple[pytest.Item, PlannedTest]]) -> None:
        for place, (item, test) in enumerate(wanted):
            following = wanted[place + 1][0] if place + 1 < len(wanted) else None
            visit.begins(test)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if not self._go_on:
                # pytest believes that the following test comes now, and would refuse any of another module.
                item.config.hook.pytest_runtest_teardown(item=item, nextitem=None)
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
    without: Collection[str] = (GPU,),
) -> None:
    """Collect the suites and lead every visit's subject through them.

    What a visit's own functions raise ends the session and is raised again from here.

    Args:
        suites: files of tests.
        visits: taken one at a time; a generator may make the next subject while one is tested.
        points: of the section, shared out among the tests.
        planned: called once with the plan of the tests that the keyword matches, before the first visit.
        timeout: seconds one test may hold up this process, the outer belt around the workers' own deadlines.
        keyword: as pytest's -k.
        debugger: show pytest's own output and stop in its debugger at a failure.
        without: tags of tests that are left out, as if the suites had none of them: their points go to the others.

    Raises:
        CourseError: a suite cannot be collected, or holds no test.
        NothingMatches: no test matches the keyword.
        AskedWrongly: the keyword is no expression.
    """
    where = suites[0].parent.name
    for suite in suites:
        if not suite.is_file():
            raise CourseError(f"{suite.parent.name}/{suite.name} is not there; every section has one.")
    loop = _Loop(visits, points, planned, without)
    arguments = [
        "-c", os.devnull, f"--rootdir={suites[0].parent}", "--noconftest", "--import-mode=importlib",
        "-p", "nnkit.grader.plugin",
        *(argument for name in UNUSED if not (debugger and name in TALKING) for argument in ("-p", f"no:{name}")),
        *(("-p", "pytest_timeout", f"--timeout={timeout}", "--timeout-method=signal") if timeout else ()),
        *(("--pdb",) if debugger else ()),
        *((f"-k={keyword}",) if keyword else ()),
        *map(str, suites),
    ]  # fmt: skip
    with _own_settings():
        try:
            status = pytest.main(arguments, plugins=[loop])
        finally:
            for suite in suites:
                _forget(suite)
    if loop.raised is not None:
        raise loop.raised
    if loop.problems:
        raise CourseError(f"The suites of {where} cannot be collected: {loop.problems[0]}")
    if loop.misused:
        raise AskedWrongly(f"-k takes names of tests, joined by and, or, not; {keyword!r} is no such expression.")
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        if keyword:
            raise NothingMatches(f"No test of {where} matches {keyword!r}; leave -k out to run all.")
        raise CourseError(
            f"{', '.join(f'{suite.parent.name}/{suite.name}' for suite in suites)}: there is no test in it."
        )
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise OurFault(f"pytest ended with {status!r} on {where}.")


@contextmanager
def unheard() -> Iterator[None]:
    """Where references and mistakes run in this very process: what they print, on either stream, is of no interest."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
        yield


def left_out(*, gpu: bool) -> tuple[str, ...]:
    """Tags of the tests that are not run."""
    return () if gpu else (GPU,)


@contextmanager
def _own_settings() -> Iterator[None]:
    """Nothing that a person has set up for pytest elsewhere holds here: no options, no plugins."""
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", AUTOLOAD) if name in os.environ}
    os.environ[AUTOLOAD] = "1"
    try:
        yield
    finally:
        del os.environ[AUTOLOAD]
        os.environ.update(kept)


def _forget(suite: Path) -> None:
    """A later session of this process reads the suite anew."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == str(suite):
            del sys.modules[name]
