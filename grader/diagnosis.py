"""Which known mistake does this output look like?

When a test fails, its questions are asked again of every mistake in the catalogue. A mistake that answers all of them
as the student's code did, where the reference answers otherwise, gives its sentence, if it is the only one. On a
student's machine there is no catalogue: the answers of the mistakes to the visible tests' questions are shipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import codec
from .errors import OurFault, ProtocolError, WorkerEnded
from .mistakes import Mistake, reach
from .student import Step
from .subject import Diagnose
from .transport import Files, Transport

TELLING_FLAGS = {"over", "invalid", "divide"}
RELATIVE = {"float64": 1e-9, "complex128": 1e-9}
RELATIVE_COARSE = 1e-4
NOISE = 16 * np.finfo(np.float64).eps
FORMAT = 1
REMEMBERED = 1000  # questions of which it is known who answers them as the reference does

Words = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Object:
    """Stands for an object that stayed in the worker: two of them are compared by nothing."""


class Diverged(Exception):
    """The code calls a function of the test's with other arguments than the student's code did, or more often."""


# Replaying


def replay(transport: Transport, steps: Sequence[Step]) -> int | None:
    """Ask another, loaded file the questions of a transcript.

    Returns:
        The first step that it answers differently, or None when all answers agree.
    """
    for place, step in enumerate(steps):
        if not _agrees(transport, step):
            return place
    return None


def _agrees(transport: Transport, step: Step) -> bool:
    answer = _answer(transport, step)
    return answer is not None and same_answer(step.answer, answer)


def _answer(transport: Transport, step: Step) -> list[bytes] | None:
    """What a loaded file answers to a step's question; None where it does not come back, or calls back otherwise."""
    recorded = _Recorded(step)
    try:
        head, buffers = transport.ask(codec.framed(step.question[0], step.question[1:]), recorded)
    except (WorkerEnded, Diverged):
        return None
    return [bytes(part) for part in (head, *buffers)] if recorded.exhausted() else None


class _Recorded:
    """Answers calls of the test's functions as they were answered the first time."""

    def __init__(self, step: Step) -> None:
        self._backs = list(step.backs)

    def __call__(self, head: codec.Buffer, buffers: list[codec.Buffer]) -> list[codec.Buffer] | None:
        if b"\xa4back" not in bytes(head[:8]):
            return None
        if not self._backs:
            raise Diverged
        asked, reply = self._backs.pop(0)
        if not same(decoded(asked), decoded([bytes(part) for part in (head, *buffers)])):
            raise Diverged
        return codec.framed(reply[0], reply[1:])

    def exhausted(self) -> bool:
        return not self._backs


# Comparing


def decoded(parts: Sequence[bytes]) -> Any:
    """A frame's value, with objects that stayed behind as `Object`."""
    return codec.Decoder(lambda tag, fields: Object()).value(parts[0], list(parts[1:]))


def same_answer(one: Sequence[bytes], other: Sequence[bytes]) -> bool:
    """Whether two answers are the same value or the same type of error, with the same observation."""
    if list(one) == list(other):
        return True
    try:
        a, b = decoded(one), decoded(other)
    except ProtocolError:
        return False
    if a[0] != b[0] or not _same_observation(a[-1], b[-1]):
        return False
    return a[1] == b[1] if a[0] == "error" else same(a[1], b[1])


def _same_observation(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    flags = [TELLING_FLAGS & set(record[0]) for record in (one, other)]
    return flags[0] == flags[1] and one[2:6] == other[2:6]


def same(one: Any, other: Any) -> bool:
    """Whether two values agree up to rounding."""
    if isinstance(one, Object) or isinstance(other, Object):
        return isinstance(one, Object) and isinstance(other, Object)
    if isinstance(one, np.ndarray | np.generic | int | float | complex) and not isinstance(one, bool):
        return _same_numbers(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _same_numbers(one: Any, other: Any) -> bool:
    if isinstance(other, bool | str | bytes | dict | list | tuple) or other is None:
        return False
    if getattr(one, "dtype_name", "") != getattr(other, "dtype_name", ""):
        return False  # a tensor is no array, and a bfloat16 one no other
    try:
        a, b = np.asarray(one), np.asarray(other)
    except OverflowError:
        return bool(one == other)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fc" or a.size == 0:
        return bool(np.array_equal(a, b))
    with np.errstate(all="ignore"):
        finite = np.isfinite(a) & np.isfinite(b)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            return False
        x, y = _wide(a[finite]), _wide(b[finite])
        scale = float(np.abs(y).max()) if y.size else 0.0
        relative = RELATIVE.get(a.dtype.name, RELATIVE_COARSE)
        close = np.abs(x - y) <= relative * np.abs(y) + NOISE * scale
        signs = np.signbit(a.real) == np.signbit(b.real) if a.size <= 1000 else np.True_
        return bool(np.all(close) and np.all(signs | (a != 0)))


def _wide(values: Words) -> Words:
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


# With the catalogue at hand


class Diagnosis:
    """Names mistakes by replaying transcripts on the mutants.

    Args:
        reference: the reference as a submission.
        mistakes: the catalogue.
        open_transport: makes a place where a file can be loaded.
        keep: whether every file keeps a place of its own, loaded. In this process it does; a worker process is shared.
    """

    def __init__(
        self,
        reference: Files,
        mistakes: Sequence[Mistake],
        open_transport: Callable[[], Transport],
        *,
        keep: bool = True,
    ) -> None:
        self._reference, self._mistakes = reference, mistakes
        self._open, self._keep = open_transport, keep
        self._places: dict[str, Transport] = {}
        self._right: dict[tuple[bytes, ...], list[Step]] = {}  # by its questions, a transcript that is right
        self._harmless: dict[bytes, set[str]] = {}  # by question, who answers it as the reference does, bit for bit
        self._reach = reach(reference.sources[f"{reference.main}.py"].decode("utf-8"))

    def __call__(self, _test: str, transcript: list[Step]) -> str:
        """Return the sentence of the one mistake that answers as this transcript does, or ""."""
        try:
            different = self._differs("", self._reference, transcript)
            if different is None:
                return ""  # the answers are right, so no mistake of ours explains the failure
            # Most mistakes fall away at the first telling step, which often can be asked by itself.
            telling = transcript[different]
            among = self._reached(transcript[: different + 1])
            alone = self._answering(telling, among) if _stands_alone(telling) else among
            left = self.matching(transcript, alone)
        except (WorkerEnded, OurFault):
            return ""  # a help that fails must not fail the test as well
        return left[0].says if len(left) == 1 and left[0].not_nameable is None else ""

    def _reached(self, transcript: Sequence[Step]) -> list[Mistake]:
        """The mistakes whose code these questions can come to; all others answer them as the reference does."""
        names = reached(transcript, self._reach)
        return [wrong for wrong in self._mistakes if wrong.target in names]

    def matching(self, transcript: list[Step], among: Sequence[Mistake] | None = None) -> list[Mistake]:
        """Every mistake that answers all questions as this transcript does."""
        return [
            wrong
            for wrong in (self._mistakes if among is None else among)
            if self._differs(wrong.name, mutant_files(self._reference, wrong), transcript) is None
        ]

    def is_right(self, transcript: list[Step]) -> bool:
        """Whether the reference answers all questions as this transcript does."""
        questions = tuple(part for step in transcript for part in step.question)
        if self._right.get(questions) == transcript:  # the very bytes that were right before
            return True
        right = self._differs("", self._reference, transcript) is None
        if right:
            self._right.setdefault(questions, transcript)
        return right

    def _answering(self, telling: Step, among: Sequence[Mistake]) -> list[Mistake]:
        """Those mistakes that answer one question as its step does, which the reference answers otherwise.

        Most mistakes of a catalogue make no difference to a question. Which ones, bit for bit, is remembered: the next
        failure at the same question, another student's for instance, need not ask them again.
        """
        if len(self._harmless) >= REMEMBERED:
            self._harmless.clear()
        harmless = self._harmless.setdefault(_digest(telling.question), set())
        right = _answer(self._place("", self._reference), telling)
        found = []
        for wrong in among:
            if wrong.name not in harmless:
                answer = _answer(self._place(wrong.name, mutant_files(self._reference, wrong)), telling)
                if answer is not None and answer == right:
                    harmless.add(wrong.name)
                elif answer is not None and same_answer(telling.answer, answer):
                    found.append(wrong)
        return found

    def _differs(self, name: str, files: Files, transcript: list[Step]) -> int | None:
        return replay(self._place(name, files), transcript)

    def _place(self, name: str, files: Files) -> Transport:
        """Where a file is loaded."""
        key = name if self._keep else ""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._open()
        if not self._keep or not place.loaded():
            place.load(files, 0)
        return place

    def close(self) -> None:
        """Let every place go."""
        for place in self._places.values():
            place.close()
        self._places.clear()


def _digest(parts: Iterable[bytes]) -> bytes:
    found = hashlib.blake2b(digest_size=32)
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()


def reached(transcript: Sequence[Step], reach: Mapping[str, Collection[str]]) -> set[str]:
    """The names at the top of a file whose code these questions can come to; what another one does makes no difference.

    Args:
        transcript: the questions.
        reach: for every name at the top of the file, the names it can come to.
    """
    called = {name for step in transcript if (name := _called(decoded(step.question))) is not None}
    return set().union(*(reach.get(name, {name}) for name in called))


def _called(question: Any) -> str | None:
    """The name in the student's file that a question begins with, if it names one."""
    match question:
        case ["fresh", _, inner]:
            return _called(inner)
        case ["call", ["name", str(name)], *_] | ["name", str(name)]:
            return name
    return None


def _stands_alone(step: Step) -> bool:
    """Whether a question names no object of an earlier answer and no function of the test's."""
    return not _holds_object(decoded(step.question))


def _holds_object(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_object, value.values()))
    return isinstance(value, Object) or (isinstance(value, list | tuple) and any(map(_holds_object, value)))


def mutant_files(reference: Files, wrong: Mistake) -> Files:
    """A mistake as a submission."""
    return Files(
        {**reference.sources, f"{reference.main}.py": wrong.mutant.encode()},
        reference.main,
        reference.section,
        reference.available,
    )


# On a student's machine


def write_shipped(path: Path, known: dict[str, list[tuple[str, int, list[Step]]]]) -> bytes:
    """Make the bytes of a section's wrong_outputs.bin.

    Args:
        path: only for the message when something does not fit.
        known: by visible test, for every mistake that fails it: its sentence, the first step that differs from the
            reference, and the transcript.
    """
    tree = {
        test: [
            [says, differs, [[step.question, [list(back) for back in step.backs], step.answer] for step in steps]]
            for says, differs, steps in entries
        ]
        for test, entries in sorted(known.items())
    }
    try:
        parts = codec.Encoder().frame({"format": FORMAT, "tests": tree})
    except codec.Unfit as unfit:
        raise OurFault(f"{path}: {unfit}.") from None
    return b"".join(bytes(part) for part in parts)


def read_shipped(path: Path) -> dict[str, list[tuple[str, int, list[Step]]]]:
    """Read a section's wrong_outputs.bin. Raises OurFault when it is damaged."""
    raw = path.read_bytes()
    try:
        tree = codec.value_of(raw)
        if tree["format"] != FORMAT:
            raise ValueError(f"format {tree['format']!r} instead of {FORMAT}")
        return {
            test: [(says, differs, [Step(q, [tuple(b) for b in backs], a) for q, backs, a in steps])
                   for says, differs, steps in entries]
            for test, entries in tree["tests"].items()
        }  # fmt: skip
    except (ProtocolError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise OurFault(f"{path.name} is damaged ({error}); install nnkit again.") from None


def shipped_diagnosis(path: Path) -> Diagnose:
    """Name mistakes from the shipped answers."""
    known: dict[str, list[tuple[str, int, list[Step]]]] | None = None

    def diagnose(test: str, transcript: list[Step]) -> str:
        nonlocal known
        if known is None:
            try:
                known = read_shipped(path)
            except (OurFault, OSError):
                known = {}  # a help that is damaged must not keep anyone from checking
        matches = {says for says, differs, steps in known.get(test, []) if _follows(transcript, steps, differs)}
        return matches.pop() if len(matches) == 1 else ""

    return diagnose


def _follows(transcript: Sequence[Step], wrong: Sequence[Step], differs: int) -> bool:
    """Whether a transcript goes along with a mistake's, up to where their questions part, and past the wrong answer."""
    for place, (mine, theirs) in enumerate(zip(transcript, wrong, strict=False)):
        if not _same_question(mine, theirs):
            return place > differs
        if not same_answer(mine.answer, theirs.answer):
            return False
    return min(len(transcript), len(wrong)) > differs


def _same_question(one: Step, other: Step) -> bool:
    if one.question != other.question and not same(decoded(one.question), decoded(other.question)):
        return False
    return len(one.backs) == len(other.backs) and all(
        same(decoded(a[0]), decoded(b[0])) for a, b in zip(one.backs, other.backs, strict=True)
    )
