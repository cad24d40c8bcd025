"""From an exception to the words a student reads: what is wrong and where, without what must stay hidden.

Of a hidden test neither expected values are told nor texts that the student's code made while it ran: class names,
warnings, names of arguments and even the lines of a traceback could carry the hidden inputs out. What is told of them
is looked up in the submitted files first.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .compare import Mismatch
from .errors import NnkitError, TooSlow
from .observed import Raised
from .results import Status, Suite
from .student import CannotLoad, ChangedArgument, MissingName, StudentError

TIMEOUT_MARK = "Timeout (>"  # how pytest-timeout's failure begins
STUB_TEXT = re.compile(r"section \d+[a-z]?: write ([^,]*).*")
HIDDEN_FRAMES = 2  # of a hidden test: each line number tells a little
RAISED_BY_PYTEST = pytest.fail.Exception  # pytest.fail, pytest.raises, pytest-timeout
PYTEST_ADVICE = re.compile(r"\n *(\n *)?Use -v+ to get more diff")
RAISED = re.compile(r"The call raised (\w+)")
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)
CLASS = re.compile(r"an object of class .*?(?=; expected [^;]*$|\.$)", re.DOTALL)
ARGUMENT = re.compile(r"(?:its|the) argument .*(?= in place|; return)", re.DOTALL)

Frames = tuple[tuple[str, int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to say about a test that did not pass, and whose fault it was."""

    status: Status
    message: str
    unwritten: bool = False  # the stub's own NotImplementedError


def is_about_the_student(error: BaseException) -> bool:
    """Whether an exception says something about the student's code, wherever in a test it came up."""
    told = (StudentError, AssertionError, RAISED_BY_PYTEST)
    return isinstance(error, told) or getattr(error, "nnkit_raised", None) is not None


def explain(
    error: BaseException, suite: Suite, *, instead: str | None = None, sources: Mapping[str, bytes] | None = None
) -> Explanation:
    """Put a test's exception into words.

    Args:
        error: what ended the test.
        suite: of which the test is.
        instead: the text of `@hide_errors`, which takes the place of ours; not where the code cannot be tested at all.
        sources: the submitted files, by name.
    """
    raised: Raised | None = getattr(error, "nnkit_raised", None)
    text = str(error) if raised is None or isinstance(error, CannotLoad) else ""
    if raised is None and _is_ours(error, text):
        return our_fault(error)
    hidden = suite == "hidden"
    if isinstance(error, CannotLoad):
        return Explanation("failed", _with_frames(text, raised.frames if raised else ()))
    if raised is not None and _is_unwritten(raised, hidden=hidden):
        frames = tuple(_known_frames(raised.frames, sources or {})) if hidden else raised.frames
        name = None if hidden else STUB_TEXT.fullmatch(raised.text)
        return Explanation("failed", _not_written(frames, name[1] if name else ""), unwritten=True)
    if instead is not None and not isinstance(error, MissingName):
        return Explanation("failed", instead)
    if hidden:
        return Explanation("failed", _hidden_words(error, text, raised, sources or {}))
    return Explanation("failed", _words(error, text, raised))


def our_fault(error: BaseException) -> Explanation:
    """Put into words what went wrong in the grader itself."""
    what = str(error) if isinstance(error, NnkitError) else f"The grader failed ({type(error).__name__}: {error})."
    return Explanation("unknown", f"{what} This is not your fault and costs no points.")


def _is_ours(error: BaseException, text: str) -> bool:
    # A test opens no file: an OSError is this machine's.
    late = isinstance(error, RAISED_BY_PYTEST) and text.startswith(TIMEOUT_MARK)
    return (
        late or isinstance(error, NnkitError | OSError) or (not is_about_the_student(error) and _from_our_code(error))
    )


def _from_our_code(error: BaseException) -> bool:
    """Whether an exception came up in the grader itself: a bug of ours, which must not cost a student points.

    What comes up in a comparison, or when a test treats an object as an array, is about what the student returned.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    inside = Path(code.co_filename).is_relative_to(Path(__file__).parent)
    return inside and not code.co_filename.endswith("compare.py") and code.co_name != "__array__"


def _words(error: BaseException, text: str, raised: Raised | None) -> str:
    if raised is not None:
        return _with_frames(f"{raised.type_name}: {raised.text}".rstrip(": "), raised.frames)
    if isinstance(error, AssertionError):
        return PYTEST_ADVICE.sub("", text) or "What this test asks for does not hold."
    if isinstance(error, StudentError | RAISED_BY_PYTEST):
        return text
    return f"The test could not use what your code returned ({type(error).__name__}{f': {text}' if text else ''})."


def _hidden_words(error: BaseException, text: str, raised: Raised | None, sources: Mapping[str, bytes]) -> str:
    if raised is not None:
        frames = tuple(_known_frames(raised.frames, sources))[-HIDDEN_FRAMES:]
        return _with_frames(f"Your code raised {_known_type(error, raised.type_name)}.", frames)
    if isinstance(error, Mismatch):
        return _hidden_mismatch(error)
    if isinstance(error, MissingName | TooSlow):
        return text
    if isinstance(error, ChangedArgument):
        return "Your code changed an argument in place; return a new array and leave the arguments as they were."
    if isinstance(error, StudentError):
        _name, ended, why = text.rpartition(" did not come back. ")  # the reason is told by the one who watched
        return f"Your code did not come back. {why}" if ended else "Your code returned what no test can use."
    if "DID NOT RAISE" in text:
        return "It accepted what it should refuse."
    if isinstance(error, AssertionError | RAISED_BY_PYTEST):
        # The words that a test's author puts after the condition are meant for the student; what pytest adds is not.
        own = text.partition("\n")[0]
        return "What this test asks for does not hold." if not own or own.startswith("assert ") else own
    return f"The test could not use what your code returned ({type(error).__name__})."


def _hidden_mismatch(error: Mismatch) -> str:
    text = error.summary()
    if error.kind == "keys":
        name = "The result" if error.where == "result" else error.where
        return f"{name} has not the keys that it should have."
    if error.kind == "exception":
        # the class may be told where it is Python's own; the text may hold what the test passed in
        raised = RAISED.match(text)
        known = raised[0] if raised and hasattr(builtins, raised[1]) else "It did not refuse as it should"
        return f"{known}; {text.rpartition('; ')[2]}"
    if error.kind == "type":
        return CLASS.sub("an object of a class", text)
    if error.kind == "observation":
        return ARGUMENT.sub("an argument", QUOTED.sub("...", text))
    if isinstance(error.yours, str | bytes):
        return f"{text.partition(': yours is ')[0]}."
    return text


def _known_type(error: BaseException, name: str) -> str:
    """The name of a builtin exception: the one that was raised, or the nearest to it."""
    exact = getattr(builtins, name, None)
    if isinstance(exact, type) and issubclass(exact, BaseException):
        return name
    nearest = next(base for base in type(error).__mro__ if base.__module__ == "builtins")
    return "an exception of its own" if nearest in (Exception, BaseException) else f"a kind of {nearest.__name__}"


def _known_frames(frames: Frames, sources: Mapping[str, bytes]) -> Iterator[tuple[str, int, str, str]]:
    """The frames that fit the submitted files, with the text of the line as it was submitted."""
    for file, line, function, _code in frames:
        text = sources.get(file, b"").decode("utf-8", "replace")
        lines = text.splitlines()
        if 0 < line <= len(lines):
            known = re.search(rf"\b(def|class)\s+{re.escape(function)}\b", text) is not None
            yield file, line, function if known else "", lines[line - 1].strip()[:200]


def _is_unwritten(raised: Raised, *, hidden: bool) -> bool:
    told = hidden or not raised.text or STUB_TEXT.fullmatch(raised.text) is not None
    return raised.type_name == "NotImplementedError" and told


def _not_written(frames: Frames, name: str) -> str:
    if not frames:
        return "Not written yet."
    file, line, function, _code = frames[-1]
    what = name or function  # the stub says Adam.step where the frame says step
    return f"Not written yet: {f'{what} in ' if what else ''}{file}, line {line}."


def _with_frames(text: str, frames: Frames) -> str:
    lines = [text]
    for file, line, function, code in frames:
        lines.append(f"  {file}, line {line}{f', in {function}' if function else ''}")
        if code:
            lines.append(f"    {code}")
    return "\n".join(lines)


def first_line(documentation: Any, name: str) -> str:
    """The title of a test: the first line of its docstring, or its name with spaces."""
    text = (documentation or "").strip().splitlines()
    return text[0].strip() if text else name.removeprefix("test_").replace("_", " ")
