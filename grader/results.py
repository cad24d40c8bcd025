"""Frozen records of what was found out, and their JSON. The schema is described in docs/json.md."""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Literal

SCHEMA_VERSION = 1
DANGEROUS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode's categories; Zl and Zp end a line for str.splitlines
MESSAGE_LIMIT = 6000  # characters told about one test
VISIBLE_SHARE = 0.2  # of a section's points; the hidden suite has the rest

State = Literal[
    "graded", "refused", "import_error", "timeout", "out_of_memory", "killed", "crashed", "protocol_error", "missing",
    "unknown",
]  # fmt: skip
Status = Literal["passed", "failed", "unknown"]
Suite = Literal["visible", "hidden"]


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test as collected: what it is worth is fixed before anything runs."""

    name: str  # of the function, with the case in brackets
    says: str  # first line of its docstring
    suite: Suite
    number: str  # "13.H2"; empty for visible tests
    weight: float  # relative; the cases of a parametrised test share their function's weight
    max_score: float  # in points of the course
    visibility: str  # visible, hidden, after_due_date or after_published
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test on one submission."""

    name: str
    says: str
    suite: Suite
    number: str
    status: Status  # unknown = our fault: costs no points
    score: float
    max_score: float
    seconds: float
    message: str  # what is wrong and where, for the student; control characters are escaped
    diagnosis: str  # the known mistake that the output looks like, or empty
    visibility: str
    tags: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, planned: PlannedTest, status: Status, *, share: float = 0.0, seconds: float = 0.0, message: str = "",
        diagnosis: str = "",
    ) -> TestOutcome:  # fmt: skip
        """Make the outcome of a planned test; `share` of its points, from 0 to 1, is what it earned."""
        return cls(
            planned.name, planned.says, planned.suite, planned.number, status, planned.max_score * share,
            planned.max_score, seconds, _bounded(message), clean(diagnosis), planned.visibility, planned.tags,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SectionResult:
    """Everything about one submission in one section."""

    submission: str
    section: str
    state: State
    score: float
    max_score: float
    seconds: float
    isolation: str
    tests: tuple[TestOutcome, ...]
    detail: str = ""  # one sentence: why the state is not "graded"
    leaderboard: tuple[tuple[str, float, str], ...] = ()  # name, value, asc or desc

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return bool(self.tests) and all(test.status == "passed" for test in self.tests)


def plan(tests: list[PlannedTest], points: float) -> list[PlannedTest]:
    """Fill in what every test is worth: visible ones share 20 % equally, hidden ones 80 % by weight."""
    shares = {"visible": VISIBLE_SHARE * points, "hidden": (1 - VISIBLE_SHARE) * points}
    totals = {suite: math.fsum(test.weight for test in tests if test.suite == suite) for suite in shares}
    return [
        PlannedTest(
            test.name, test.says, test.suite, test.number, test.weight,
            shares[test.suite] * test.weight / totals[test.suite] if totals[test.suite] else 0.0,
            test.visibility, test.tags,
        )
        for test in tests
    ]  # fmt: skip


def completed(
    submission: str, section: str, planned: list[PlannedTest], outcomes: dict[str, TestOutcome], state: State,
    detail: str = "", isolation: str = "none", leaderboard: tuple[tuple[str, float, str], ...] = (),
    points: float | None = None,
) -> SectionResult:  # fmt: skip
    """Put a result together from the plan: what is missing counts as failed, or as unknown when that is our fault.

    `points`, where given, is what the section is worth as a whole.
    """
    status: Status = "unknown" if state == "unknown" else "failed"
    tests = [
        outcomes.get(f"{test.suite}:{test.name}") or TestOutcome.of(test, status, message=detail or "It did not run.")
        for test in planned
    ]
    score = rounded(math.fsum(test.score for test in tests))
    most = rounded(math.fsum(test.max_score for test in tests)) if points is None else points
    seconds = math.fsum(test.seconds for test in tests)
    return SectionResult(
        submission, section, state, score, most, rounded(seconds), isolation, tuple(tests), clean(detail), leaderboard
    )


def rounded(value: float) -> float:
    """Round to six decimals: points are shown with two, sums must not show rounding noise."""
    return round(value, 6) + 0.0


def _bounded(message: str) -> str:
    return clean(message if len(message) <= MESSAGE_LIMIT else f"{message[:MESSAGE_LIMIT]} ... (cut)")


def clean(text: str) -> str:
    """Escape what could move a cursor, hide text or forge a line: control, format and private characters, separators."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text  # nearly every text, and much faster
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in DANGEROUS
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in text
    )


def as_document(command: str, results: list[SectionResult]) -> dict[str, Any]:
    """The document that `--json` prints."""
    return {"version": SCHEMA_VERSION, "command": command, "results": [as_plain(result) for result in results]}


def as_plain(result: SectionResult) -> dict[str, Any]:
    """One result as plain data."""
    tree = asdict(result)
    tree["leaderboard"] = [{"name": name, "value": value, "order": order} for name, value, order in result.leaderboard]
    for test in tree["tests"]:
        test["score"], test["max_score"] = rounded(test["score"]), rounded(test["max_score"])
        test["seconds"] = rounded(test["seconds"])
    return tree


def as_json(document: dict[str, Any]) -> str:
    """Write a document. Numbers that are not finite are a bug of ours, never written."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
