"""The course: one frozen record per section, read from its section.toml, and the way from what a person types to a section.

Sections are discovered by the names of their folders; nothing else lists them.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from .errors import CourseError, NoSolutions, UnknownSection

FOLDER = re.compile(r"s(\d\d)([a-z]?)_([a-z][a-z0-9_]*)")
NUMBER = re.compile(r"0?[1-9]\d?[a-z]?")  # what section.toml writes: "9" or "09", "13", "29k"
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
HINTS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a section's quiz; `why` explains every answer, the wrong ones too."""

    question: str
    answers: tuple[str, ...]
    correct: int  # index into answers
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the course: what section.toml says, and where its files are."""

    number: str  # "13", "29k"
    slug: str  # the name of the student's module: "relu"
    folder: Path  # exercises/s13_relu
    title: str
    summary: str
    difficulty: int  # 1 to 5
    libraries: tuple[str, ...]
    after: tuple[str, ...]  # numbers of the sections that this one builds on
    points: float
    cpu_seconds: float  # what the reference may use for the whole hidden suite
    hints: tuple[str, ...]
    imports: tuple[str, ...] = ()  # modules allowed beside the default list
    forbidden: tuple[str, ...] = ()  # dotted names, in full
    given: tuple[str, ...] = ()  # helpers that the stub carries ready-made
    may_change: tuple[str, ...] = ()  # functions that may change an argument in place
    uses: tuple[str, ...] = ()  # numbers of sections whose files, the student's own, this one's file imports
    opt_in: bool = False  # graded only where it is asked for by name
    quiz: tuple[Question, ...] = ()

    @property
    def name(self) -> str:
        """The name of its folders: "s13_relu"."""
        return self.folder.name

    @property
    def readme(self) -> Path:
        """The lesson."""
        return self.folder / "README.md"

    @property
    def stub(self) -> Path:
        """What a student starts from."""
        return self.folder / f"{self.slug}.py"

    @property
    def visible_suite(self) -> Path:
        """The tests that a student has."""
        return self.folder / f"test_{self.slug}.py"

    @property
    def wrong_outputs(self) -> Path:
        """The generated outputs of each mistake on the visible tests' inputs: arrays, never code."""
        return self.folder / "wrong_outputs.bin"

    @property
    def solution(self) -> Path:
        """Its folder in solutions/, which exists on an instructor's machine only."""
        return self.folder.parent.parent / "solutions" / self.name

    @property
    def reference(self) -> Path:
        """How it is done, once solved."""
        return self.solution / f"{self.slug}.py"

    @property
    def hidden_suite(self) -> Path:
        """The tests that only a grade runs."""
        return self.solution / "test_hidden.py"

    @property
    def mistakes(self) -> Path:
        """The catalogue of what people get wrong."""
        return self.solution / "mistakes.py"


def root() -> Path:
    """The folder that holds exercises/, and in a checkout solutions/; the variable NNKIT_COURSE may name another one."""
    elsewhere = os.environ.get("NNKIT_COURSE")
    return Path(elsewhere).absolute() if elsewhere else Path(__file__).parent.parent


def solutions_folder() -> Path | None:
    """Where references and hidden suites are, or None: a student's install has none."""
    folder = root() / "solutions"
    return folder if folder.is_dir() else None


def needs_solutions() -> Path:
    """Return the folder of solutions. Raises NoSolutions where there is none."""
    folder = solutions_folder()
    if folder is None:
        raise NoSolutions(
            f"There are no solutions in {root()}: they are not part of a student's install. "
            "Run this in a checkout of the course, or name one in the variable NNKIT_COURSE."
        )
    return folder


def folders() -> dict[str, Path]:
    """Every section's folder by its number, in the order of the course. Reads names only."""
    exercises = root() / "exercises"
    try:
        names = sorted(entry.name for entry in exercises.iterdir() if FOLDER.fullmatch(entry.name) and entry.is_dir())
    except OSError as error:
        says = "NNKIT_COURSE names a folder without one." if os.environ.get("NNKIT_COURSE") else "Install nnkit again."
        raise CourseError(
            f"{exercises} cannot be read ({error.strerror}): a course is a folder with exercises/ in it. {says}"
        ) from None
    found: dict[str, Path] = {}
    slugs: dict[str, str] = {}
    for name in names:
        number, slug = _parts(name)
        twin = found[number].name if number in found else slugs.get(slug)
        if twin:
            raise CourseError(
                f"{exercises}: {twin} and {name} share a number or a slug; both must be unique in a course. Rename one of them."
            )
        found[number] = exercises / name
        slugs[slug] = name
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


def sections() -> list[Section]:
    """Every section, in the order of the course: 29, 29k, 30."""
    return [read(folder) for folder in folders().values()]


def section(wanted: str) -> Section:
    """Return the section that a person means by "13", "013", "relu", "s13_relu" or "exercises/s13_relu/".

    Raises:
        UnknownSection: there is none; says what there is, or what was probably meant.
    """
    known = folders()
    asked = re.split(r"[/\\]", wanted.strip().rstrip("/\\"))[-1].lower().removesuffix(".py")
    for folder in known.values():
        if asked in (folder.name, _parts(folder.name)[1]):
            return read(folder)
    as_number = re.fullmatch(r"s?0*([1-9]\d*[a-z]?)", asked)
    if as_number and as_number[1] in known:
        return read(known[as_number[1]])
    raise UnknownSection(_no_section(wanted, as_number[1] if as_number else None, known))


def check(course: Iterable[Section]) -> None:
    """Check what no section can know alone: that whatever it builds on exists, and that no folder is misnamed.

    Raises:
        CourseError: the first section that names one that the course does not have.
    """
    course = list(course)
    known = {section.number for section in course}
    for each in course:
        for key, number in (*(("after", it) for it in each.after), *(("uses", it) for it in each.uses)):
            if number not in known:
                raise CourseError(
                    f"{_place(each.folder)}: `{key}` names section {number}, which this course does not have. {_near(number, known)}".strip()
                )
    for entry in sorted((root() / "exercises").iterdir()):
        if entry.is_dir() and not FOLDER.fullmatch(entry.name) and not entry.name.startswith((".", "__")):
            raise CourseError(
                f"{entry}: a section's folder is called like s13_relu (two digits, an optional k, a lower-case slug). Rename it."
            )


def used(section: Section) -> list[Section]:
    """The sections whose files come along with this one's.

    Raises:
        UnknownSection: this course lacks one of them.
    """
    known = folders()
    missing = [number for number in section.uses if number not in known]
    if missing:
        raise UnknownSection(_no_section(missing[0], missing[0], known))
    return [read(known[number]) for number in section.uses]


def order(number: str) -> tuple[int, str]:
    """Where a number stands in the course: "9" before "13", "29" before "29k" before "30"."""
    digits = number.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits), number[len(digits) :]


def read(folder: Path) -> Section:
    """Read one section's record from its folder.

    Raises:
        CourseError: section.toml is missing or wrong; names the file, the key and what was expected.
    """
    number, slug = _parts(folder.name)
    path = folder / "section.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"{_place(folder)} cannot be read ({error.strerror}). Every section has one.") from None
    except UnicodeDecodeError as error:
        raise CourseError(f"{_place(folder)} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{_place(folder)} is not valid TOML: {error}.") from None
    values = _Reader(_place(folder), table, SCHEMA).values()
    return Section(number=number, slug=slug, folder=folder, **values)


class _Reader:
    """Reads one table by a schema; every complaint is one sentence with the file and the key."""

    def __init__(self, place: str, table: dict[str, Any], schema: dict[str, tuple["Rule", bool]]) -> None:
        self.place = place
        self.table = table
        self.schema = schema

    def values(self) -> dict[str, Any]:
        for key in self.table:
            if key not in self.schema:
                raise CourseError(f"{self.place}: unknown key `{key}`. {_near(key, self.schema)}".strip())
        found = {}
        for key, (rule, required) in self.schema.items():
            if key in self.table:
                found[key] = rule(self, key, self.table[key])
            elif required:
                raise CourseError(f"{self.place}: the key `{key}` is missing. docs/authoring.md says what it means.")
        return found

    def expected(self, key: str, what: str, value: object) -> NoReturn:
        shown = repr(value)
        raise CourseError(
            f"{self.place}: `{key}` must be {what}, not {shown if len(shown) <= 60 else shown[:57] + '...'}."
        )


Rule = Callable[[_Reader, str, Any], object]


def _text(reader: _Reader, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        reader.expected(key, "a text that is not empty", value)
    return value


def _number(reader: _Reader, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        reader.expected(key, "a number above 0", value)
    return float(value)


def _flag(reader: _Reader, key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        reader.expected(key, "true or false", value)
    return value


def _difficulty(reader: _Reader, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
        reader.expected(key, "a whole number from 1 to 5", value)
    return value


def _texts(reader: _Reader, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        reader.expected(key, "a list of texts, none of them empty", value)
    return tuple(value)


def _names(reader: _Reader, key: str, value: Any) -> tuple[str, ...]:
    names = _texts(reader, key, value)
    for name in names:
        if not DOTTED.fullmatch(name):
            reader.expected(key, 'a list of names like "numpy.tanh"', name)
    if len(set(names)) < len(names):
        reader.expected(key, "a list that names nothing twice", value)
    return names


def _libraries(reader: _Reader, key: str, value: Any) -> tuple[str, ...]:
    if value not in (["numpy"], ["numpy", "torch"]):
        reader.expected(key, '["numpy"] or ["numpy", "torch"]', value)
    return tuple(value)


def _numbers(reader: _Reader, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and NUMBER.fullmatch(each) for each in value):
        reader.expected(key, 'a list of section numbers as texts, like ["9", "29k"]', value)
    return tuple(number.lstrip("0") for number in value)


def _hints(reader: _Reader, key: str, value: Any) -> tuple[str, ...]:
    hints = _texts(reader, key, value)
    if len(hints) != HINTS:
        raise CourseError(
            f"{reader.place}: `{key}` has {len(hints)}; {HINTS} are expected, from a nudge to nearly code."
        )
    return hints


def _quiz(reader: _Reader, key: str, value: Any) -> tuple[Question, ...]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        reader.expected(key, "written as [[quiz]] tables", value)
    questions = []
    for position, table in enumerate(value, start=1):
        place = f"{reader.place}, quiz question {position}"
        question = Question(**_Reader(place, table, QUESTION).values())
        if len(question.answers) < 2:
            raise CourseError(f"{place}: `answers` has {len(question.answers)}; at least 2 are expected.")
        if len(question.why) != len(question.answers):
            raise CourseError(
                f"{place}: `why` has {len(question.why)} explanations for {len(question.answers)} answers; every answer needs one, right or wrong."
            )
        if question.correct >= len(question.answers):
            raise CourseError(
                f"{place}: `correct` is {question.correct}, but the {len(question.answers)} answers are counted from 0."
            )
        questions.append(question)
    return tuple(questions)


def _index(reader: _Reader, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        reader.expected(key, "an index into `answers`, counted from 0", value)
    return value


# Key -> (how it is read, whether it must be there). docs/authoring.md says what each means.
SCHEMA: dict[str, tuple[Rule, bool]] = {
    "title": (_text, True),
    "summary": (_text, True),
    "difficulty": (_difficulty, True),
    "libraries": (_libraries, True),
    "after": (_numbers, True),
    "points": (_number, True),
    "cpu_seconds": (_number, True),
    "imports": (_names, False),
    "forbidden": (_names, False),
    "given": (_names, False),
    "may_change": (_names, False),
    "uses": (_numbers, False),
    "opt_in": (_flag, False),
    "hints": (_hints, True),
    "quiz": (_quiz, False),
}
QUESTION: dict[str, tuple[Rule, bool]] = {
    "question": (_text, True),
    "answers": (_texts, True),
    "correct": (_index, True),
    "why": (_texts, True),
}


def slug_of(name: str) -> str:
    """Return "relu" for "s13_relu"."""
    return _parts(name)[1]


def _parts(name: str) -> tuple[str, str]:
    match = FOLDER.fullmatch(name)
    if match is None:
        raise CourseError(
            f"{name}: a section's folder is called like s13_relu (two digits, an optional k, a lower-case slug)."
        )
    return str(int(match[1])) + match[2], match[3]


def _place(folder: Path) -> str:
    return f"exercises/{folder.name}/section.toml"


def _near(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"Did you mean `{close[0]}`?" if close else ""


def _no_section(wanted: str, number: str | None, known: dict[str, Path]) -> str:
    if not known:
        return f"There is no section {wanted}: the course in {root()} has none at all."
    if number:
        numbers = list(known)
        return (
            f"There is no section {number}. Sections run from {numbers[0]} to {numbers[-1]}; `nnkit list` shows them."
        )
    names = {name: folder for folder in known.values() for name in (folder.name, _parts(folder.name)[1])}
    guess = _near(wanted.lower(), names)
    return f"There is no section called {wanted!r}. {guess + ' ' if guess else ''}`nnkit list` shows them all."
