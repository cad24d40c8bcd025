"""`nnkit grade FOLDER`: read the submissions, grade them, write what came out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import platformdirs

from . import course, grading
from .course import Section
from .errors import AskedWrongly, OurFault, Stopped
from .exchange import plain
from .kernels import levels
from .results import SectionResult, as_document, as_json, as_plain, rounded
from .sandbox import LEVELS
from .seeds import Seeds, read_secret

# At the start of a cell a spreadsheet takes it for a formula; in some languages the wide forms too.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
JOURNAL, DOCUMENT, TABLE = "results.jsonl", "results.json", "grades.csv"


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
    gpu: bool = False,
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
        gpu: whether kernels are graded on this machine's device too, where it has one.
        progress: called with how many results there are and how many there will be.

    Raises:
        AskedWrongly: the folder, a section, a student or an option is not what it should be.
        OurFault: what was found out cannot be written.
        Stopped: a person pressed Ctrl-C.
        NoSolutions: there are no hidden suites here.
    """
    course.needs_solutions()
    if jobs < 0:
        raise AskedWrongly(f"--jobs is {jobs}; it must be 0, for one process per core, or more.")
    if level not in LEVELS:
        raise AskedWrongly(f"There is no isolation level {level!r}; there are {', '.join(LEVELS)}.")
    start = time.monotonic()
    secret = secret_file or _own_secret()
    new = not os.path.lexists(secret)
    seeds = Seeds(read_secret(secret))
    asked = [course.section(number) for number in dict.fromkeys(numbers)]
    known = asked or [each for each in course.sections() if not each.opt_in]
    slugs = [course.slug_of(path.name) for path in course.folders().values()]
    reading = plain.read(folder, known, slugs, {each.number: course.used(each) for each in known})
    submissions = _chosen(reading.submissions, only)
    sections = asked or _handed_in(submissions, known)
    if not sections:
        raise AskedWrongly(f"No submission in {folder} holds a file of any section; expected files such as relu.py.")
    notes = [*reading.notes, *(note for each in submissions for note in each.notes)]
    if new:
        notes.append(f"A new secret was made in {secret}: keep it, for with another one the hidden inputs are others.")
    journal = _Journal(out)
    done, total = 0, len(submissions) * len(sections)

    def heard(result: SectionResult) -> None:
        nonlocal done
        done += 1
        journal.write(result)
        progress(done, total)

    try:
        results = grading.grade(
            submissions, sections, seeds, jobs=jobs or cores(), level=level, heard=heard, noted=notes.append,
            gpu=gpu and not levels.missing()["gpu-time"],
        )  # fmt: skip
    except KeyboardInterrupt:
        raise Stopped(journal.stopped(done, total)) from None
    finally:
        journal.close()
    if out is not None:
        _write_new(out / DOCUMENT, as_json(as_document("grade", list(results))) + "\n")
        _write_new(out / TABLE, as_table(results, submissions, sections))
    isolations = tuple(sorted({result.isolation for result in results} - {"none"}))
    return Graded(tuple(results), tuple(notes), time.monotonic() - start, seeds.digest(), out, isolations)


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


def _handed_in(submissions: Sequence[plain.Submission], known: Sequence[Section]) -> list[Section]:
    """The sections that somebody handed in. What cannot be read at all is of no section, unless all are like that."""
    readable = [each for each in submissions if len(each.refused) < len(known)] or submissions
    return [s for s in known if any(s.number in each.files or s.number in each.refused for each in readable)]


class _Journal:
    """results.jsonl: every result as soon as it is there, so that nothing found out is lost."""

    def __init__(self, out: Path | None) -> None:
        self._file: IO[bytes] | None = None
        if out is None:
            return
        if out.exists() and not out.is_dir():
            raise AskedWrongly(f"Nothing can be written to {out}: it is a file, not a folder.")
        try:
            out.mkdir(parents=True, exist_ok=True)
            if any(os.path.lexists(out / name) for name in (JOURNAL, DOCUMENT, TABLE)):
                raise FileExistsError
            self._path = out / JOURNAL
            self._file = self._path.open("xb", buffering=0)
        except FileExistsError:
            raise AskedWrongly(f"{out} holds results already; name another folder, nothing is overwritten.") from None
        except OSError as error:
            raise AskedWrongly(f"Nothing can be written to {out}: {error.strerror}.") from None

    def write(self, result: SectionResult) -> None:
        if self._file is None:
            return
        line = memoryview(json.dumps(as_plain(result), ensure_ascii=False, allow_nan=False).encode() + b"\n")
        end = self._file.tell()
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)  # half a line would spoil the file for whoever reads it
            raise OurFault(
                f"{self._path} cannot be written ({error.strerror}); what was graded before stands in it, the rest is "
                "to be graded again."
            ) from None

    def stopped(self, done: int, total: int) -> str:
        """Say what is left of the work when a person stops it."""
        if not done:
            return "Stopped."
        if self._file is None:
            return f"Stopped. {done} of {total} results are lost: only --out DIR keeps them as they come."
        return f"Stopped. {done} of {total} results stand in {self._path}; the rest is to be graded again."

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, as a whole or not at all."""
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            path.unlink(missing_ok=True)
        raise OurFault(
            f"{path} cannot be written ({error.strerror}); all results stand in {path.with_name(JOURNAL)}."
        ) from None


def as_table(
    results: Sequence[SectionResult], submissions: Sequence[plain.Submission], sections: Sequence[Section]
) -> str:
    """Return a CSV with a line per submission. What is unknown has no score, and makes no total: it is not a zero."""
    scores = {(result.submission, result.section): result for result in results}
    file = io.StringIO()
    writer = csv.writer(file)
    heading = [f"{s.number} {what}" for s in sections for what in ("score", "of", "state")]
    writer.writerow(["submission", *heading, "total", "of"])
    for each in submissions:
        own = [scores[each.who, section.number] for section in sections]
        known = all(result.state != "unknown" for result in own)
        cells: list[str] = []
        for result in own:
            score = "" if result.state == "unknown" else f"{result.score:g}"
            cells += [score, f"{result.max_score:g}", result.state]
        total, most = math.fsum(result.score for result in own), math.fsum(result.max_score for result in own)
        writer.writerow([defused(each.who), *cells, f"{rounded(total):g}" if known else "", f"{rounded(most):g}"])
    return file.getvalue()


def defused(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell
