"""Results as text for a terminal: plain lines, at most 100 wide, colour only where a person looks."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..check import Checked
    from ..course import Section
    from ..doctor import Report
    from ..grade import Graded
    from ..hints import Hints
    from ..validate import Proof

COLOURS = {"passed": "32", "failed": "31", "unknown": "33"}
TEXT = 8  # column where what is said of a test begins
CODE = 4  # blanks before a line of the student's code in a message
LEAST, WIDEST = 24, 100
BAR = 30  # characters of a bar of progress
UNWRITTEN = "Not written yet"
WORDS = {"passed": "ok", "failed": "FAIL", "unknown": "?"}


def checked(results: Sequence[Checked], following: tuple[Section, str] | None = None) -> str:
    """What `nnkit check` prints; `following` is the section to go on with, and its lesson where that was fetched."""
    parts = [_one_check(result) for result in results]
    if following is not None and all(result.passed for result in results):
        section, lesson = following
        then = f"read {lesson}, then nnkit check {section.number}" if lesson else f"nnkit fetch {section.number}"
        parts.append(f"Next: section {section.number}, {section.title}: {then}")
    return "\n\n".join(parts)


def hints(results: Sequence[Hints]) -> str:
    """What `nnkit hint` prints: what has been released, and whether there is more."""
    width, lines = _width(), []
    for found in results:
        for number, text in enumerate(found.texts, start=1):
            lines += [f"Hint {number} of {found.of}", *_indented(text, 2, width), ""]
        left = found.of - len(found.texts)
        lines += _indented(
            f"`nnkit hint {found.section}` once more shows the next one."
            if left
            else f"These are all; `nnkit check {found.section}` says what is still wrong.",
            0,
            width,
        )
    return "\n".join(lines)


def _one_check(found: Checked) -> str:
    section, result = found.section, found.result
    width = _width()
    lines = [*_row(f"Section {section.number}: {section.title}", found.file.name, width), ""]
    if found.whole:
        lines += [*_indented(result["detail"], 2, width), *_frames(result, width), ""]
    else:
        told: dict[tuple[str, str], str] = {}
        for test in result["tests"]:
            lines += _test_lines(test, section, told, width)
        lines.append("")
    passed = sum(test["status"] == "passed" for test in result["tests"])
    total = len(result["tests"])
    chosen = f" that match {found.keyword!r}" if found.keyword else ""
    lines += _indented(
        f"{passed} of {total} visible checks{chosen} passed; hidden checks run when it is graded.", 0, width
    )
    lines += _indented(
        f"{_points(result['score'])} of {_points(result['max_score'])} points here; "
        f"{_points(found.hidden_points)} more are given by the hidden checks.",
        0,
        width,
    )
    if found.differs:
        lines += _indented(
            f"Your {section.visible_suite.name} differs from the course's; the course's was run. "
            "Plain `pytest` in this folder runs yours.",
            0,
            width,
        )
    return "\n".join(lines)


def _frames(result: dict[str, Any], width: int) -> list[str]:
    """Where in the student's file an import failed: what follows the sentence in every test's message."""
    message = result["tests"][0]["message"] if result["tests"] else ""
    lines = message.removeprefix(result["detail"]).splitlines()[1:]
    return [line for text in lines for line in _message_line(text, 2, width)]


def _test_lines(test: dict[str, Any], section: Section, told: dict[tuple[str, str], str], width: int) -> list[str]:
    status = test["status"]
    first, *rest = _row(f"  {WORDS[status]:<5} {test['says']}", _earned(test), width, indent=TEXT)
    lines = [_coloured(line, status) for line in (first, *rest)]
    if status == "passed":
        return [*lines, *(told for line in test["message"].splitlines() for told in _message_line(line, TEXT, width))]
    what = (test["message"], test["diagnosis"])
    if what in told and len(test["message"].splitlines()) > 1:
        return [*lines, *_indented(f"The same as for: {told[what]}", TEXT, width)]
    told.setdefault(what, test["says"])
    for line in test["message"].splitlines():
        lines += _message_line(line, TEXT, width)
    if test["diagnosis"]:
        lines += _indented(f"It looks as if: {test['diagnosis']}", TEXT, width)
    if not test["message"].startswith(UNWRITTEN):
        again = test["name"].partition("[")[0].rpartition(".")[2].removeprefix("test_")
        lines.append(f"{' ' * TEXT}Again: nnkit check {section.number} -k {again}")
    return lines


def _message_line(line: str, depth: int, width: int) -> list[str]:
    """One line of a message: prose is wrapped, a line of code is cut."""
    own = len(line) - len(line.lstrip())
    if own < CODE:
        return _indented(line, depth + own, width)
    room = max(width - depth, LEAST)
    return [" " * depth + (line if len(line) <= room else f"{line[: room - 4]} ...")]


def _earned(test: dict[str, Any]) -> str:
    return f"{_points(test['score'])} of {_points(test['max_score'])}"


def _points(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _row(left: str, right: str, width: int, indent: int = 0) -> list[str]:
    """A text with a short one at the right end of its first line; what does not fit goes on below."""
    room = max(width - len(right) - 2, LEAST)
    first, *rest = _wrapped(left, room, " " * indent)
    return [f"{first:<{room}}  {right}", *rest]


def _indented(text: str, depth: int, width: int) -> list[str]:
    blank = " " * depth
    return _wrapped(blank + text.strip(), max(width, depth + LEAST), blank)


def _wrapped(text: str, width: int, later: str) -> list[str]:
    wrapped = textwrap.wrap(text, width, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)
    return wrapped or [""]


def _width() -> int:
    return min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)


def _coloured(text: str, status: str) -> str:
    return f"\033[{COLOURS[status]}m{text}\033[0m" if _wants_colour() else text


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def graded(found: Graded) -> str:
    """What `nnkit grade` prints: a line per submission and section, and what was noticed."""
    from ..results import clean

    rows: list[Sequence[str]] = [("submission", "section", "state", "score", "of", "passed", "")]
    for result in found.results:
        passed = sum(test.status == "passed" for test in result.tests)
        share = f"{passed}/{len(result.tests)}"
        detail = textwrap.shorten(result.detail, 60, placeholder=" ...")
        score, most = _points(result.score) if result.state != "unknown" else "-", _points(result.max_score)
        rows.append(
            (clean(result.submission).replace("\n", " "), result.section, result.state, score, most, share, detail)
        )
    states = Counter(result.state for result in found.results)
    lines = [table(rows, right=(3, 4, 5)), ""]
    lines += [f"Note: {clean(note)}" for note in found.notes]
    lines.append(
        f"{len(found.results)} result{'s' * (len(found.results) != 1)}: "
        + ", ".join(f"{count} {state}" for state, count in states.items())
    )
    lines.append(
        f"{found.seconds:.1f} s; worker isolation: {', '.join(found.isolations) or 'none needed'}; secret {found.secret}."
    )
    if found.written is not None:
        lines.append(f"Written to {found.written}.")
    return "\n".join(lines)


def examined(found: Report) -> str:
    """What `nnkit doctor` prints."""
    width = _width()
    lines = [f"{name}: {text}" for name, text in found.versions.items()]
    if found.layers:
        rows: list[Sequence[str]] = [("layer of isolation", "here")]
        rows += [(layer.layer, "works" if layer.works else "missing") for layer in found.layers]
        lines += ["", table(rows)]
    for layer in found.layers:
        if not layer.works:
            lines += ["", *_indented(f"{layer.layer} is missing: {layer.why}", 0, width)]
            lines += [*_indented(f"so {layer.consequence}", 2, width), *_indented(f"to get it: {layer.cure}", 2, width)]
    if found.attacks:
        stopped = sum(attack.stopped for attack in found.attacks)
        lines += ["", f"{stopped} of {len(found.attacks)} attacks on the jail stopped:"]
        for attack in found.attacks:
            lines += _indented(
                f"{'stopped' if attack.stopped else 'NOT STOPPED'}: {attack.attack} ({attack.how})", 2, width
            )
    if found.refusal:
        lines += ["", *_indented(f"Submissions of others are not graded here: {found.refusal}", 0, width)]
    return "\n".join(lines)


def counter() -> Callable[[int, int], None]:
    """Count on standard error, where a person looks."""

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} graded", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return tell


def loading() -> Callable[[str, int, int], None]:
    """Draw a bar on standard error, where a person looks, for every file that is fetched."""

    def tell(name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            full = BAR * done // max(total, 1)
            bar = "#" * full + "." * (BAR - full)
            end = "\n" if done >= total else ""
            print(
                f"\r{name:24} [{bar}] {done / 1e6:5.1f} of {total / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True
            )

    return tell


def proofs(found: Sequence[Proof]) -> str:
    """What `nnkit validate` prints."""
    heading = ("section", "mode", "seeds", "tests", "reference", "stub", "mistakes", "generic", "texts", "CPU s", "")
    rows: list[Sequence[str]] = [heading]
    for proof in found:
        counts = [_share(proof, what) for what in ("reference", "stub", "mistake", "generic", "texts")]
        state = "ok" if proof.ok else "RED"
        row = (proof.section, proof.mode, str(proof.seeds), str(proof.tests), *counts, f"{proof.seconds:.1f}", state)
        rows.append(row)
    lines = [table(rows, right=range(2, 10))]
    for proof in found:
        for finding in proof.findings:
            if not finding.ok:
                lines.append(f"\nsection {proof.section}, {proof.mode}: {finding.what} {finding.name}")
                lines += _indented(finding.detail, 2, _width())
    green = sum(proof.ok for proof in found)
    lines.append(f"\n{green} of {len(found)} proofs hold.")
    return "\n".join(lines)


def _share(proof: Proof, what: str) -> str:
    total = proof.count(what)
    return f"{proof.count(what, ok=True)}/{total}" if total else "-"


def progress() -> Callable[[Proof], None]:
    """Say on standard error what has just been proved, where a person looks."""

    def tell(proof: Proof) -> None:
        if sys.stderr.isatty():
            print(f"section {proof.section} {proof.mode}: {'ok' if proof.ok else 'RED'}", file=sys.stderr)

    return tell


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of text under each other; the first is the heading; columns in `right` are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)
