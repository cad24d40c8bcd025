"""What a student reads about a failed test: all of a visible one, of a hidden one nothing that must stay hidden."""

import numpy as np
import pytest

from nnkit.grader import compare
from nnkit.grader.errors import OurFault, TooSlow
from nnkit.grader.explain import explain, first_line, is_about_the_student, our_fault
from nnkit.grader.observed import Raised
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import ChangedArgument, MissingName, Student, StudentError
from nnkit.grader.subject import Subject
from nnkit.grader.transport import Files, LocalTransport

SECRET = "0.123456789"  # what a hostile submission wants to get out
SOURCE = """\
import numpy as np

def relu(x):
    return helper(x)

def helper(x):
    raise ValueError(f"got {x}")

def later(x):
    raise NotImplementedError("section 13: write later")

def liar(x):
    raise NotImplementedError(f"{x}")

class Adam:
    def step(self):
        raise NotImplementedError("section 26: write Adam.step")

def own_type(x):
    raise type(f"E{x}".replace(".", "_"), (Exception,), {})(x)

def own_key(x):
    raise type(f"E{x}".replace(".", "_"), (KeyError,), {})(x)

def leaves(x):
    raise SystemExit(f"{x}")

def algebra(x):
    return np.linalg.inv(np.zeros((2, 2)))

def deep(x, n=5):
    return deep(x, n - 1) if n else helper(x)
"""
SOURCES = {"relu.py": SOURCE.encode()}


def student(source=SOURCE):
    made = Student(LocalTransport(), Files({"relu.py": source.encode()}, "relu", "13", ("numpy",)))
    Subject("relu", made, Seeds(b"x" * 16)).begin("visible", "test_a")
    return made


def caught(action):
    with pytest.raises(BaseException) as raised:  # noqa: PT011  whatever comes out is to be explained
        action()
    return raised.value


def told(error, suite, **options):
    found = explain(error, suite, sources=SOURCES, **options)
    assert found.status == "failed"
    return found.message


# Visible tests tell all


def test_an_exception_is_told_with_the_student_s_frames():
    """Its type and text, then file, line, function and code of every frame of the student's, outermost first"""
    assert told(caught(lambda: student().relu(2.0)), "visible").splitlines() == [
        "ValueError: got 2.0",
        "  relu.py, line 4, in relu",
        "    return helper(x)",
        "  relu.py, line 7, in helper",
        '    raise ValueError(f"got {x}")',
    ]


@pytest.mark.parametrize("suite", ["visible", "hidden"])
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: s.later(1), "Not written yet: later in relu.py, line 10."),
        (lambda s: s.Adam().step(), "Not written yet: Adam.step in relu.py, line 17."),
    ],
)
def test_the_stub_is_just_not_written_yet(suite, call, sentence):
    """No frames, no type of exception: the function and its line; where the stub's text may be told, with its class"""
    found = explain(caught(lambda: call(student())), suite, sources=SOURCES)

    sentence = sentence.replace("Adam.", "") if suite == "hidden" else sentence
    assert (found.message, found.status, found.unwritten) == (sentence, "failed", True)


def test_a_class_that_is_not_written_yet_has_its_name():
    """Not __init__, and without what the stub says beside the name"""
    source = (
        'class Value:\n    def __init__(self):\n        raise NotImplementedError("section 17: write Value")\n\n'
        'def halve(x):\n    raise NotImplementedError("section 17: write halve, for x / 2")\n'
    )

    assert told(caught(lambda: student(source).Value()), "visible") == "Not written yet: Value in relu.py, line 3."
    assert told(caught(lambda: student(source).halve(1)), "visible") == "Not written yet: halve in relu.py, line 6."


def test_a_notimplementederror_of_one_s_own_keeps_its_text():
    """What is not the stub's sentence is the student's"""
    assert told(caught(lambda: student().liar(3)), "visible").startswith("NotImplementedError: 3\n")


def test_a_mismatch_is_told_in_full():
    """Yours, expected and how far"""
    error = caught(lambda: compare.assert_close(np.array([1.0, 2.0]), np.array([1.0, 3.0])))

    assert told(error, "visible") == str(error)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AssertionError("assert 1 == 2\n  \n  Use -v to get more diff"), "assert 1 == 2"),
        (AssertionError(), "What this test asks for does not hold."),
        (MissingName("relu.py has no `elu`."), "relu.py has no `elu`."),
        (TooSlow("It took 9 times as long."), "It took 9 times as long."),
        (
            TypeError("'NoneType' has no len"),
            "The test could not use what your code returned (TypeError: 'NoneType' has no len).",
        ),
        (IndexError(), "The test could not use what your code returned (IndexError)."),
        (pytest.fail.Exception("DID NOT RAISE ValueError"), "DID NOT RAISE ValueError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_failures_of_a_visible_test(error, message):
    """Each has its words; pytest's advice to its own users is left out"""
    assert told(error, "visible") == message


# Hidden tests keep what is hidden


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("relu", "Your code raised ValueError."),
        ("deep", "Your code raised ValueError."),
        ("own_type", "Your code raised an exception of its own."),
        ("own_key", "Your code raised a kind of KeyError."),
        ("leaves", "Your code raised SystemExit."),
        ("algebra", "Your code raised a kind of ValueError."),
        ("liar", "Not written yet: liar in relu.py, line 13."),
    ],
)
def test_no_text_of_the_student_s_code_is_told_of_a_hidden_test(function, message):
    """Neither the exception's text nor its class's name carries an input out; the last lines of the student's are told"""
    error = caught(lambda: getattr(student(), function)(float(SECRET)))

    text = told(error, "hidden")

    assert text.splitlines()[0] == message
    assert SECRET not in text
    assert SECRET.replace(".", "_") not in text
    assert len(text.splitlines()) <= 5


def test_frames_are_told_as_they_were_submitted():
    """A worker may send any frames: only lines of the submitted files are told, and their text is looked up there"""
    error = ValueError("x")
    error.nnkit_raised = Raised(
        "ValueError",
        SECRET,
        (
            ("relu.py", 4, f"f{SECRET}", SECRET),
            ("relu.py", 999_123_456, "relu", SECRET),
            (f"{SECRET}.py", 1, "relu", SECRET),
            ("relu.py", -3, "relu", ""),
            ("relu.py", 7, "helper", SECRET),
        ),
    )

    assert told(error, "hidden").splitlines() == [
        "Your code raised ValueError.",
        "  relu.py, line 4",
        "    return helper(x)",
        "  relu.py, line 7, in helper",
        '    raise ValueError(f"got {x}")',
    ]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: compare.assert_close(1.25, 2.5), "The result differs: yours is 1.25."),
        (lambda: compare.assert_close(SECRET, "right"), "The result differs."),
        (lambda: compare.assert_close({"a": 1.0, SECRET: 2.0}, {"a": 1.0}), "The result has not the keys"),
        (lambda: compare.assert_close({}, {SECRET: 1.0}, name="the state"), "the state has not the keys"),
        (
            lambda: compare.assert_close(type(f"C{SECRET}; expected x", (), {})(), 1.0),
            "The result is an object of a class; expected",
        ),
        (
            lambda: compare.assert_refuses(_raises(ValueError(SECRET)), naming="alpha"),
            "The call raised ValueError; expected a ValueError whose text names `alpha`.",
        ),
        (
            lambda: compare.assert_refuses(_raises(TypeError(SECRET)), naming="alpha"),
            "The call raised TypeError; expected a ValueError",
        ),
        (lambda: compare.assert_refuses(lambda: 1, naming="alpha"), "The call accepted a bad `alpha`"),
        (
            lambda: compare.assert_calm(_observed(warnings=(f"it's {SECRET}", SECRET), flags={"over"})),
            "On the way to the result there was a number that overflowed",
        ),
        (
            lambda: compare.assert_leaves_inputs_alone(_observed(changed=(f"{SECRET} in place",))),
            "The call changed an argument in place; work on a copy.",
        ),
        (
            lambda: compare.assert_leaves_inputs_alone(_observed(shares_memory=(f"{SECRET}; return",))),
            "The result shares memory with an argument; return a new array.",
        ),
    ],
)
def test_comparisons_of_a_hidden_test(check, message):
    """What differs and where, but no expected value and no text that the student's code made"""
    text = told(caught(check), "hidden")

    assert text.startswith(message)
    assert SECRET not in text
    assert "2.5" not in text


def _raises(error):
    def call():
        raise error

    return call


def _observed(**fields):
    from nnkit.grader.observed import Observation

    return Observation(**fields)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ChangedArgument(f"C{SECRET}.step changed its argument {SECRET} in place."),
            "Your code changed an argument in place; return a new array and leave the arguments as they were.",
        ),
        (StudentError(f"relu returned an object of class C{SECRET}."), "Your code returned what no test can use."),
        (
            StudentError(f"C{SECRET}.step did not come back. No answer after 5 s."),
            "Your code did not come back. No answer after 5 s.",
        ),
        (StudentError(f"C: its length is '{SECRET}'"), "Your code returned what no test can use."),
        (AssertionError(f"assert {SECRET} == 1"), "What this test asks for does not hold."),
        (AssertionError(f"the slope must grow\nassert {SECRET} > 1"), "the slope must grow"),
        (AssertionError(), "What this test asks for does not hold."),
        (TypeError(SECRET), "The test could not use what your code returned (TypeError)."),
        (pytest.fail.Exception("DID NOT RAISE <class 'ValueError'>"), "It accepted what it should refuse."),
        (MissingName("relu.py has no `elu`."), "relu.py has no `elu`."),
        (TooSlow("It took 9 times as long."), "It took 9 times as long."),
    ],
)
def test_other_failures_of_a_hidden_test(error, message):
    """The author's own words after a condition are told, pytest's account of the values is not"""
    assert told(error, "hidden") == message


def test_a_file_that_cannot_be_imported_is_never_hidden():
    """Nothing of a test has run yet: the sentence and the frames, also with hide_errors"""
    error = caught(lambda: student("x = 1\ny = undefined\n").relu)

    assert error.__class__.__name__ == "CannotLoad"
    for suite in ("visible", "hidden"):
        text = told(error, suite, instead="Secret.")
        assert text.splitlines()[0].startswith("relu.py could not be imported: NameError: name 'undefined'")
        assert "  relu.py, line 2, in <module>" in text


# Whose fault


@pytest.mark.parametrize("suite", ["visible", "hidden"])
@pytest.mark.parametrize(
    "error",
    [
        OurFault("The zygote is gone."),
        pytest.fail.Exception("Timeout (>60.0s) from pytest-timeout."),
        OSError(24, "files"),
    ],
    ids=["OurFault", "timeout", "OSError"],
)
def test_what_is_ours_is_unknown(suite, error):
    """An error of nnkit's, the outer belt and this machine's refusals cost no points, whatever hide_errors says"""
    found = explain(error, suite, instead="Secret.")

    assert found.status == "unknown"
    assert found.message.endswith("This is not your fault and costs no points.")


@pytest.mark.parametrize(
    "source", ["OSError(24, 'Too many open files')", "TimeoutError('Timeout (>1s)')", "MemoryError()"]
)
def test_the_same_from_the_student_s_code_is_the_student_s(source):
    """Nobody raises their way into `unknown`"""
    error = caught(lambda: student(f"def relu(x):\n    raise {source}\n").relu(1))

    assert explain(error, "hidden", sources=SOURCES).status == "failed"


def test_hostile_texts_are_not_even_asked_for():
    """An exception whose text loops, leaves or raises is told by what came over the wire"""
    source = (
        "class Odd(ValueError):\n    def __str__(self):\n        raise SystemExit\n"
        "    __repr__ = __str__\n\ndef relu(x):\n    raise Odd\n"
    )

    text = told(caught(lambda: student(source).relu(1)), "visible")

    assert text.startswith("Odd: (its text could not be made)")


def test_who_an_error_is_about():
    """In a fixture, the student's exceptions and failed checks are told from our own"""
    assert is_about_the_student(caught(lambda: student().relu(1)))
    assert is_about_the_student(AssertionError())
    assert is_about_the_student(StudentError())
    assert not is_about_the_student(KeyError("x"))
    assert not is_about_the_student(OurFault("x"))


def test_our_fault_says_what_failed():
    """Our sentence where it is ours, else the type and text"""
    assert our_fault(OurFault("The disk is full.")).message.startswith("The disk is full. This is not")
    assert our_fault(KeyError("x")).message.startswith("The grader failed (KeyError: 'x').")


@pytest.mark.parametrize(
    ("docstring", "title"),
    [
        ("relu(0) is 0", "relu(0) is 0"),
        ("\n   relu(0)\n  is 0", "relu(0)"),
        ("", "of zero"),
        (None, "of zero"),
        ("  \n ", "of zero"),
    ],
)
def test_the_title(docstring, title):
    """The docstring's first line, or the name in words"""
    assert first_line(docstring, "test_of_zero") == title


def test_a_bug_of_ours_costs_nothing(monkeypatch):
    """An exception that comes up in the grader's own code is unknown; in a comparison or a test it is the student's"""
    module = student()
    monkeypatch.setattr(module, "_transport", None)
    assert explain(caught(lambda: module.relu(1)), "visible").status == "unknown"

    assert explain(caught(lambda: compare.assert_close(1.0, 2.0)), "visible").status == "failed"
    assert explain(caught(lambda: {}["dead"]), "visible").status == "failed"
