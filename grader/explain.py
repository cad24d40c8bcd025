"""From an exception to the words a student reads: what is wrong and where, without what must stay hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .compare import Mismatch
from .errors import NnkitError, TooSlow
from .results import Status, Suite
from .student import CannotLoad, Raised, StudentError

TIMEOUT_MARK = "Timeout (>"  # how pytest-timeout's failure begins


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to say about a test that did not pass, and whose fault it was."""

    status: Status
    message: str


def explain(error: BaseException, suite: Suite, *, instead: str | None = None) -> Explanation:
    """Put a test's exception into words.

    Args:
        error: what ended the test.
        suite: of a hidden test neither expected values nor texts made by the student's code are told: the latter could
            carry the hidden inputs out.
        instead: the text of `@hide_errors`, which takes the place of ours.
    """
    text = str(error)
    if isinstance(error, NnkitError) or (type(error).__name__ == "Failed" and text.startswith(TIMEOUT_MARK)):
        return our_fault(error)
    return Explanation("failed", instead if instead is not None else _words(error, text, hidden=suite == "hidden"))


def our_fault(error: BaseException) -> Explanation:
    """Put into words what went wrong in the grader itself."""
    what = str(error) if isinstance(error, NnkitError) else f"The grader failed ({type(error).__name__}: {error})."
    return Explanation("unknown", f"{what} This is not your fault and costs no points.")


def _words(error: BaseException, text: str, *, hidden: bool) -> str:
    raised: Raised | None = getattr(error, "nnkit_raised", None)
    if isinstance(error, CannotLoad):
        return _with_frames(text, raised)  # never hidden: nothing of a test has run yet
    if raised is not None:
        return _with_frames(_said(raised, hidden=hidden), raised)
    if isinstance(error, Mismatch):
        return error.summary() if hidden else text
    if isinstance(error, StudentError | TooSlow):
        return text
    if type(error).__name__ == "Failed":  # pytest.raises, pytest.fail
        return "It accepted what it should refuse." if hidden and "DID NOT RAISE" in text else text
    if isinstance(error, AssertionError):
        return "What this test asks for does not hold." if hidden or not text else text
    kind = type(error).__name__
    return f"The test could not use what your code returned ({kind}{'' if hidden or not text else f': {text}'})."


def _said(raised: Raised, *, hidden: bool) -> str:
    if raised.type_name == "NotImplementedError" or not hidden:
        return f"{raised.type_name}: {raised.text}".rstrip(": ")
    return f"Your code raised {raised.type_name}."


def _with_frames(text: str, raised: Raised | None) -> str:
    lines = [text]
    for file, line, function, code in raised.frames if raised else ():
        lines.append(f"  {file}, line {line}{f', in {function}' if function else ''}")
        if code:
            lines.append(f"    {code}")
    return "\n".join(lines)


def first_line(documentation: Any, name: str) -> str:
    """The title of a test: the first line of its docstring, or its name with spaces."""
    text = (documentation or "").strip().splitlines()
    return text[0].strip() if text else name.removeprefix("test_").replace("_", " ")
