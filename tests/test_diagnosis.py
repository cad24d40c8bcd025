"""A known mistake is named when its answers are the student's, all of them, and no other mistake's."""

import numpy as np
import pytest

from nnkit.grader import codec, course, local, release, session
from nnkit.grader.diagnosis import Diagnosis, mutant_files, replay, same, shipped_diagnosis
from nnkit.grader.errors import OurFault, WorkerEnded
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import Student
from nnkit.grader.subject import Subject
from nnkit.grader.subjects import makers, submission
from nnkit.grader.transport import Files, LocalTransport


@pytest.fixture
def grade(small_course):
    """Runs both suites on a text with the whole catalogue at hand; returns what is said about each failed test."""

    def grade(source: str) -> dict[str, str]:
        section = course.section("13")
        said = {}

        def heard(outcome):
            if outcome.status != "passed":
                said[outcome.name] = outcome.diagnosis
            return True

        with makers(section, Seeds(b"tests"), None) as made:
            subject = made.subject(submission(section, {"small.py": source.encode()}))
            suites = [section.visible_suite, section.hidden_suite]
            session.run(suites, [session.Visit(subject, heard=heard)], points=1.0)
        return said

    return grade


@pytest.fixture
def check(small_course, tmp_path):
    """Runs the visible suite as a student's own machine does: with the shipped answers only."""

    def check(source: str) -> dict[str, str]:
        section = course.section("13")
        file = tmp_path / "ada" / "small.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        said = {}

        def heard(outcome):
            if outcome.status != "passed":
                said[outcome.name] = outcome.diagnosis
            return True

        subject = local.subject_of(file, section)
        session.run([section.visible_suite], [session.Visit(subject, heard=heard)], points=1.0)
        return said

    return check


def spoilt(small_course, old: str, new: str) -> str:
    """The reference with one text replaced."""
    text = small_course.reference.read_text()
    assert text.count(old) == 1
    return text.replace(old, new)


def test_a_mistake_is_named_however_it_is_written(small_course, grade):
    """Adding three times is tripling; only the tests of that function fail, and all of them say it"""
    said = grade(spoilt(small_course, "return 2.0 * x", "return x + (x + x)"))

    assert said == dict.fromkeys(("test_double_by_hand", "test_double[shape0]", "test_double[shape1]"), "You tripled.")


def test_a_mistake_with_callbacks_is_named(small_course, grade):
    """The student's code calls a function of the test's in the order in which the mistake does"""
    said = grade(spoilt(small_course, "(above - below) / (2 * h)", "(above - f(x)) / h"))

    assert set(said.values()) == {"Take both sides."}
    assert set(said) == {"test_slope_by_hand", "test_slope"}


def test_other_callbacks_are_another_program(small_course, grade):
    """The same wrong value, got by asking the test's function elsewhere, is not that mistake"""
    asked_twice = "(above - (f(x) + f(x)) / 2) / h"

    assert set(grade(spoilt(small_course, "(above - below) / (2 * h)", asked_twice)).values()) == {""}


def test_a_mistake_of_a_class_is_named(small_course, grade):
    """Construction, methods and arguments are asked again of the mistake's own object"""
    said = grade(spoilt(small_course, "return w - self.velocity", "return w - self.lr * grad"))

    assert said == dict.fromkeys(("test_walker_by_hand", "test_walker"), "The walker forgets its speed.")


def test_what_no_mistake_answers_is_not_named(small_course, grade):
    """An unknown error gets no sentence"""
    assert set(grade(spoilt(small_course, "return 2.0 * x", "return 2.5 * x")).values()) == {""}


def test_what_begins_like_a_mistake_and_goes_on_otherwise_is_not_it(small_course, grade):
    """All answers count, also those after the first wrong one"""
    small_course.append(
        small_course.hidden,
        '''

@weight(1)
@number("13.H4")
def test_twice(student):
    """double of 1, then of 3"""
    results = [float(student.double(np.array(x))) for x in (1.0, 3.0)]
    assert results == [2.0, 6.0]
''',
    )

    assert grade(spoilt(small_course, "return 2.0 * x", "return 3.0 * x"))["test_twice"] == "You tripled."
    assert grade(spoilt(small_course, "return 2.0 * x", "return 3.0 * x if x < 2 else 2.0 * x"))["test_twice"] == ""


def test_two_mistakes_that_look_alike_are_not_named(small_course, grade):
    """With two that answer the same, nothing is said"""
    small_course.append(
        small_course.mistakes,
        '\n\n@mistake("double", says="You added twice.", killed_by=["13.H1"])\ndef added(x):\n    return x + x + x\n',
    )

    assert set(grade(spoilt(small_course, "return 2.0 * x", "return 3.0 * x")).values()) == {""}


def test_a_mistake_that_says_it_cannot_be_named_is_not(small_course, grade):
    """Neither is one that looks like it"""
    small_course.replace(small_course.mistakes, 'says="You tripled."', 'says="You tripled.", not_nameable="guesswork"')

    assert set(grade(spoilt(small_course, "return 2.0 * x", "return 3.0 * x")).values()) == {""}


def test_the_type_of_an_error_and_the_observation_are_part_of_the_answer(small_course, grade):
    """A mistake that raises, or that writes into its argument, is told from one with the same values"""
    small_course.append(
        small_course.mistakes,
        """

@mistake("double", says="It raises.", killed_by=["13.H1"])
def raises(x):
    raise KeyError("no")


@mistake("double", says="In place.", killed_by=["13.H1"])
def in_place(x):
    x *= 2.0
    return x
""",
    )

    assert set(grade(spoilt(small_course, "return 2.0 * x", "raise KeyError('something else')")).values()) == {
        "It raises."
    }
    assert set(grade(spoilt(small_course, "return 2.0 * x", "raise IndexError('no')")).values()) == {""}
    assert set(grade(spoilt(small_course, "return 2.0 * x", "x += x\n    return x")).values()) == {"In place."}


def test_a_failure_with_right_answers_is_no_mistakes(small_course):
    """Where the reference answers the same, no mistake explains the failure"""
    section = course.section("13")
    with makers(section, Seeds(b""), None) as made:
        student = Student(LocalTransport(), made.reference_files)
        student.double(np.array([1.0, 2.0]))

        assert made.diagnosis("", student.transcript) == ""
        assert made.diagnosis.is_right(student.transcript)


def test_what_was_found_once_is_not_asked_again(small_course):
    """A mistake that answers a question as the reference does is asked it once; right transcripts are known by their bytes"""
    asked = []

    class Counted(LocalTransport):
        def ask(self, question, call_back):
            asked.append(question)
            return super().ask(question, call_back)

    # It is reached by double, and makes no difference there.
    small_course.append(
        small_course.mistakes,
        '\n\n@mistake("double", says="You forget nothing.", killed_by=["13.H1"])\ndef harmless(x):\n    return 2.0 * x\n',
    )
    section = course.section("13")
    with makers(section, Seeds(b""), None) as made:
        diagnosis = Diagnosis(made.reference_files, made.mistakes, Counted)
        wrong, right = mutant_files(made.reference_files, made.mistakes[0]), made.reference_files
        transcripts = []
        for files in (wrong, wrong, right, right):
            student = Student(LocalTransport(), files)
            student.double(np.array([1.0, 2.0]))
            transcripts.append(student.transcript)

        counts = []
        for transcript in transcripts[:2]:
            asked.clear()
            assert diagnosis("", transcript) == "You tripled."
            counts.append(len(asked))
        assert counts[0] > 4
        assert counts[1] == 4  # the reference and the mistake, each for the telling question and for all
        for transcript, times in zip(transcripts[2:], (1, 0), strict=True):
            asked.clear()
            assert diagnosis.is_right(transcript)
            assert len(asked) == times


def test_a_diagnosis_that_fails_says_nothing(small_course):
    """When the place where mistakes are tried breaks down, the test still fails for its own reason"""

    class Broken(LocalTransport):
        def load(self, files, seed):
            raise self.error_

    section = course.section("13")
    with makers(section, Seeds(b""), None) as made:
        student = Student(LocalTransport(), mutant_files(made.reference_files, made.mistakes[0]))
        student.double(np.array([1.0]))
        for error in (OurFault("gone"), WorkerEnded("killed", "gone")):
            Broken.error_ = error
            assert Diagnosis(made.reference_files, made.mistakes, Broken)("", student.transcript) == ""
        assert Diagnosis(made.reference_files, made.mistakes, LocalTransport)("", student.transcript) == "You tripled."


def test_replaying_stops_at_the_first_other_answer(small_course):
    """The number of the step that differs, or None"""
    section = course.section("13")
    with makers(section, Seeds(b""), None) as made:
        files = mutant_files(made.reference_files, made.mistakes[0])
        student = Student(LocalTransport(), files)
        student.slope(lambda x: x * x, 1.0)
        student.double(np.array([0.0]))
        student.double(np.array([1.0]))
        place = LocalTransport()
        place.load(made.reference_files, 0)

        assert replay(place, student.transcript) == 2
        assert replay(student.transport, student.transcript) is None


# On a student's machine


def test_a_students_own_machine_names_the_mistake_too(small_course, check):
    """The shipped answers are enough, for functions, callbacks and objects"""
    release.write_wrong_outputs(course.section("13"))

    assert check(spoilt(small_course, "return 2.0 * x", "return x + x + x")) == {"test_double_by_hand": "You tripled."}
    assert check(spoilt(small_course, "(above - below) / (2 * h)", "(above - f(x)) / h")) == {
        "test_slope_by_hand": "Take both sides."
    }
    assert check(spoilt(small_course, "return w - self.velocity", "return w - self.lr * grad")) == {
        "test_walker_by_hand": "The walker forgets its speed."
    }
    assert check(spoilt(small_course, "return 2.0 * x", "return 2.5 * x")) == {"test_double_by_hand": ""}


def test_a_mistake_is_named_from_the_beginning_of_a_transcript(small_course, check):
    """Where the student's own answers lead to other questions after the wrong one, the beginning is enough"""
    small_course.replace(
        small_course.visible,
        "    assert_close(student.double(np.array([1.5, -2.0])), [3.0, -4.0])\n",
        "    x = np.array([1.5, -2.0])\n    for _ in range(2):\n        x = student.double(x)\n    assert_close(x, [6.0, -8.0])\n",
    )
    release.write_wrong_outputs(course.section("13"))
    rough = "return 3.0 * x * (1 + 1e-12 * (abs(x) > 4))"

    assert check(spoilt(small_course, "return 2.0 * x", "return 3.0 * x")) == {"test_double_by_hand": "You tripled."}
    assert check(spoilt(small_course, "return 2.0 * x", rough)) == {"test_double_by_hand": "You tripled."}
    later = "return 3.0 * x if abs(x).max() < 4 else 2.0 * x"
    assert check(spoilt(small_course, "return 2.0 * x", later)) == {"test_double_by_hand": ""}


def test_on_a_students_machine_too_two_that_look_alike_are_not_named(small_course, check):
    """Two sentences are none, also when one of the two may not be named"""
    small_course.append(
        small_course.mistakes,
        '\n\n@mistake("double", says="You added twice.", killed_by=["13.H1"], not_nameable="as tripled")\n'
        "def added(x):\n    return x + x + x\n",
    )
    release.write_wrong_outputs(course.section("13"))

    assert check(spoilt(small_course, "return 2.0 * x", "return 3.0 * x")) == {"test_double_by_hand": ""}


def test_without_what_is_shipped_nothing_is_named(small_course, check, tmp_path):
    """A missing or damaged wrong_outputs.bin costs the hint, not the check"""
    wrong = spoilt(small_course, "return 2.0 * x", "return 3.0 * x")
    assert check(wrong) == {"test_double_by_hand": ""}

    course.section("13").wrong_outputs.write_bytes(b"damaged")
    assert check(wrong) == {"test_double_by_hand": ""}
    assert shipped_diagnosis(tmp_path / "nowhere.bin")("test_double_by_hand", []) == ""


# What is the same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1.0 + 1e-12),
        (np.array([1.0, np.nan, np.inf]), np.array([1.0, np.nan, np.inf])),
        (np.array([1e300, 1.0]), np.array([1e300, 1.0 + 1e-10])),
        (np.float32(1.0), np.float32(1.00001)),
        ([1, (2.0, "a")], [1, (2.0, "a")]),
        ({"a": np.arange(3)}, {"a": np.arange(3)}),
        (np.zeros(0), np.zeros(0)),
        (None, None),
        (2**80, 2**80),
        (1 + 2j, 1 + 2j + 1e-12),
    ],
)
def test_values_that_agree_up_to_rounding_are_the_same(one, other):
    """Rounding aside, in both orders"""
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1.0 + 1e-6),
        (1.0, 1),
        (1, True),
        (0.0, -0.0),
        (np.nan, 0.0),
        (np.inf, -np.inf),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.arange(3), np.arange(3.0)),
        ([1], (1,)),
        ({"a": 1}, {"b": 1}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("1", 1),
        (None, 0),
        ([1, 2], [1]),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (codec.tensor([1.0]), np.array([1.0])),
    ],
)
def test_other_types_shapes_and_values_are_not_the_same(one, other):
    """Kind, shape, order, sign of zero: each tells two answers apart, in both orders"""
    assert not same(one, other)
    assert not same(other, one)


def test_files_of_a_mistake_are_a_submission():
    """A mutant stands under the reference's name"""
    reference = Files({"small.py": b"x = 1\n"}, "small", "13", ("numpy",))

    class Entry:
        mutant = "x = 2\n"

    assert mutant_files(reference, Entry()) == Files({"small.py": b"x = 2\n"}, "small", "13", ("numpy",))


def test_the_subject_of_a_test_has_no_diagnosis_by_default():
    """Where no catalogue is at hand, nothing is said"""
    assert Subject("small", Student(LocalTransport(), Files({}, "", "", ())), Seeds(b"")).diagnose("test", []) == ""
