"""`nnkit grade FOLDER`: read the submissions, grade them, write what came out."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import platformdirs

from . import course, grading
from .course import Section
from .errors import AskedWrongly
from .exchange import plain
from .sandbox import LEVELS
from .results import SectionResult, as_document, as_json, as_plain
from .seeds import Seeds, read_secret

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # at the start of a cell, a spreadsheet takes it for a formula


@dataclass(frozen=True, slots=True)
class Graded:
    """What came out of grading a folder."""

    results: tuple[SectionResult, ...]
    notes: tuple[str, ...]
    seconds: float
    secret: str  # digest of the course's secret, which names it without telling it
    written: Path | None = None
    isolations: tuple[str, ...] = field(default=())

    @property
    def unknown(self) -> bool:
        """Whether something of ours went wrong."""
        return any(result.state == "unknown" for result in self.results)

    def as_dicts(self) -> list[dict[str, Any]]:
        """The results as plain data."""
        return [as_plain(result) for result in self.results]


def grade_folder(
    folder: Path,
    numbers: Sequence[str],
    *,
    only: Sequence[str] = (),
    jobs: int = 0,
    level: str = "strict",
    secret_file: Path | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Graded:
    """Grade every submission of a folder.

    Args:
        folder: one folder, zip or file per student.
        numbers: sections; those that at least one student handed in when empty.
        only: names of students; all when empty.
        jobs: processes at once; one per core when 0.
        level: of isolation: strict, best or none.
        secret_file: the course's secret; one is made in the user's own data folder when not given.
        out: where results.jsonl (as they come), results.json and grades.csv go.
        progress: called with how many results there are and how many there will be.

    Raises:
        AskedWrongly: the folder, a section, a student or an option is not what it should be.
        NoSolutions: there are no hidden suites here.
    """
    course.needs_solutions()
    if level not in LEVELS:
        raise AskedWrongly(f"There is no isolation level {level!r}; there are {', '.join(LEVELS)}.")
    start = time.monotonic()
    seeds = Seeds(read_secret(secret_file or _own_secret()))
    asked = [course.section(number) for number in dict.fromkeys(numbers)]
    known = asked or course.sections()
    reading = plain.read(folder, known, [course.slug_of(path.name) for path in course.folders().values()])
    submissions = _chosen(reading.submissions, only)
    sections = asked or [s for s in known if any(s.number in e.files or s.number in e.refused for e in submissions)]
    if not sections:
        raise AskedWrongly(f"No submission in {folder} holds a file of any section; expected files such as relu.py.")
    notes = [*reading.notes, *(f"{each.who}: {note}" for each in submissions for note in each.notes)]
    journal = _Journal(out)
    done, total = 0, len(submissions) * len(sections)

    def heard(result: SectionResult) -> None:
        nonlocal done
        done += 1
        journal.write(result)
        progress(done, total)

    try:
        results = grading.grade(submissions, sections, seeds, jobs=jobs or cores(), level=level, heard=heard)
    finally:
        journal.close()
    _write(out, results, submissions, sections)
    isolations = tuple(sorted({result.isolation for result in results} - {"none"}))
    return Graded(
        tuple(results), tuple(notes), time.monotonic() - start, seeds.digest(), out, isolations
    )


def cores() -> int:
    """How many processes may run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _own_secret() -> Path:
    folder = Path(platformdirs.user_data_dir("nnkit"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AskedWrongly(
            f"The course's secret cannot be kept in {folder}: {error.strerror}. Name a file with --secret-file."
        ) from None
    return folder / "secret"


def _chosen(submissions: Sequence[plain.Submission], only: Sequence[str]) -> list[plain.Submission]:
    names = {each.who for each in submissions}
    for who in only:
        if who not in names:
            raise AskedWrongly(f"There is no submission of {who!r}; there are {', '.join(sorted(names)[:10])}.")
    return [each for each in submissions if not only or each.who in only]


class _Journal:
    """results.jsonl: every result as soon as it is there, so that nothing found out is lost."""

    def __init__(self, out: Path | None) -> None:
        self._file: IO[str] | None = None
        if out is None:
            return
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._file = (out / "results.jsonl").open("x", encoding="utf-8")
        except FileExistsError:
            raise AskedWrongly(f"{out} holds results already; name another folder, nothing is overwritten.") from None
        except OSError as error:
            raise AskedWrongly(f"Nothing can be written to {out}: {error.strerror}.") from None

    def write(self, result: SectionResult) -> None:
        if self._file is not None:
            self._file.write(json.dumps(as_plain(result), ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _write(
    out: Path | None, results: Sequence[SectionResult], submissions: Sequence[plain.Submission], sections: Sequence[Section]
) -> None:
    if out is None:
        return
    (out / "results.json").write_text(as_json(as_document("grade", list(results))) + "\n", encoding="utf-8")
    scores = {(result.submission, result.section): result for result in results}
    with (out / "grades.csv").open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        heading = [f"{s.number} {what}" for s in sections for what in ("score", "of", "state")]
        writer.writerow(["submission", *heading, "total", "of"])
        for each in submissions:
            own = [scores[each.who, section.number] for section in sections]
            cells = [cell for result in own for cell in (f"{result.score:g}", f"{result.max_score:g}", result.state)]
            total, most = sum(result.score for result in own), sum(result.max_score for result in own)
            writer.writerow([defused(each.who), *cells, f"{round(total, 6):g}", f"{round(most, 6):g}"])


def defused(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell
