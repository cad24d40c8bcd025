"""What the tests' side does with questions and with answers, honest or not."""

import traceback

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkit.grader import codec
from nnkit.grader.errors import OurFault, ProtocolError, WorkerEnded
from nnkit.grader.observed import Observation
from nnkit.grader.student import CannotLoad, Handle, MissingName, Student, StudentError
from nnkit.grader.transport import Files, LocalTransport

FILES = Files({"sub.py": b""}, "sub", "13", ("numpy",))
NAMES = ["value", {"f": "function", "A": "class", "x": "data"}, None]
CALM = [[], [], [], [], False, False, None]
THING = [codec.HANDLE, 1, "Thing", True]


def head_of(tree):
    """The head of a frame: of plain data, or of tags written out where an entry is `Raw`."""
    parts = codec.Encoder(lambda value: value.tree).frame(tree)
    return parts[1], [bytes(part) for part in parts[2:]]


class Raw:
    """Something that stands in a head as it is."""

    def __init__(self, tree):
        self.tree = tree


def listed(thing):
    """The entries, without asking for the length first."""
    return [entry for entry in thing]  # noqa: C416 - list() would


class Scripted:
    """A worker that answers whatever it was told to, and nothing else."""

    error = None

    def __init__(self, *answers, names=NAMES):
        self._answers, self._names = list(answers), names
        self.ends, self.closed, self.loads = [], 0, 0
        self.asked = []
        self._loaded = False

    def load(self, files, seed):
        self.loads += 1
        self._loaded = True
        return self._next(self._names)

    def begin_test(self):
        pass

    def ask(self, question, call_back):
        self.asked.append(codec.Decoder(lambda tag, fields: fields).value(question[1], question[2:])[0])
        answer = self._next(self._answers.pop(0))
        try:
            assert call_back(*answer) is None
        except ProtocolError as error:  # as a process does
            raise WorkerEnded("protocol_error", str(error)) from None
        return answer

    def _next(self, answer):
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else head_of(answer)

    def loaded(self):
        return self._loaded

    def close(self):
        self.closed += 1
        self._loaded = False


def scripted(*answers, names=NAMES, **options):
    transport = Scripted(*answers, names=names)
    return Student(transport, FILES, **options), transport


# Honest answers


def test_names_are_functions_or_data():
    """A function is not asked for before it is called, data are asked for at once"""
    student, transport = scripted(["value", 3, CALM], ["value", 7, None])
    function = student.f
    assert transport.asked == []

    assert function(1) == 3
    assert student.x == 7
    assert transport.asked == ["call", "name"]
    assert repr(function) == "<the student's f>"
    assert repr(student) == "<the student's sub.py>"


def test_private_names_are_nobodys_business():
    """Whatever looks at a student's module from outside, such as pytest, asks no question"""
    student, transport = scripted()

    for name in ("__wrapped__", "_pytestfixturefunction"):
        with pytest.raises(AttributeError):
            getattr(student, name)
    with pytest.raises(AttributeError):
        student.f.__wrapped__  # noqa: B018 - looking is what is tested
    assert transport.loads == 0 or transport.asked == []


def test_a_handle_is_no_array():
    """numpy does not take an object for an array of one object"""
    student, _ = scripted(["value", Raw(THING), CALM])
    thing = student.A()

    with pytest.raises(TypeError, match="an object of class Thing is no array"):
        np.asarray(thing)
    assert repr(thing) == "<an object of class Thing>"


def test_a_method_is_looked_up_once_per_object_and_test():
    """The questions of a test do not depend on the tests before it: the diagnosis compares them"""
    student, transport = scripted(
        *[["value", Raw(THING), CALM], ["value", ["method"], None], *[["value", 1, CALM]] * 2] * 2
    )
    for _ in range(2):
        student.begin_test(1)
        thing = student.A()
        thing.step()
        thing.step()

    assert transport.asked == ["fresh", "get", "call", "call"] * 2


def test_a_transcript_holds_what_was_watched():
    """Questions and answers of this test; nothing that was unwatched, nothing of the test before"""
    student, _ = scripted(*[["value", i, CALM] for i in range(5)])
    student.begin_test(1)
    student.f(np.ones(300))
    with student.unwatched():
        student.f(2)
    student.echo(3)
    kept = student.transcript
    student.begin_test(2)

    assert len(kept) == 2
    assert codec.Decoder().value(kept[0].question[0], kept[0].question[1:])[2][2][0].shape == (300,)
    assert student.transcript == []


def test_a_transcript_that_grows_too_large_is_given_up(monkeypatch):
    """Bytes count in questions and answers; what is not watched takes no room; the next test starts anew"""
    monkeypatch.setattr("nnkit.grader.student.TRANSCRIPT_LIMIT", 10_000)
    student, _ = scripted(*[["value", np.ones(500), CALM]] * 9)
    student.begin_test(1)
    with student.unwatched():
        for _ in range(4):
            student.f(np.ones(2000))
    student.f(1)
    assert len(student.transcript) == 1
    student.f(1)
    student.f(1)
    assert student.transcript is None

    student.begin_test(2)
    student.f(1)
    assert len(student.transcript) == 1


def test_a_student_who_is_not_watched_has_no_transcript():
    """The reference is asked without being recorded"""
    student, _ = scripted(["value", 1, None], observe=False)
    student.f(1)

    assert student.transcript == []


def test_functions_called_back_are_part_of_the_transcript(student_in):
    """With what they were given and what they gave back"""
    student = student_in("local", "def f(g): return g(2) + g(3)\n")
    student.begin_test(1)
    student.f(lambda x: 10 * x)

    (step,) = student.transcript
    told = [[codec.Decoder().value(part[0], part[1:]) for part in back] for back in step.backs]
    assert told == [[["back", 0, [2], {}], ["value", 20]], [["back", 0, [3], {}], ["value", 30]]]


# What went wrong on the way


def test_an_ended_worker_is_the_students_error_and_the_references_our_fault():
    """Who wrote the code decides whose fault it is"""
    gone = WorkerEnded("timeout", "No answer after 3 s.")
    for ours, kind, says in (
        (False, StudentError, "f did not come back. No answer after 3 s."),
        (True, OurFault, "The reference's f did not come back. No answer after 3 s."),
    ):
        student, _ = scripted(gone, ours=ours)
        with pytest.raises(kind) as caught:
            student.f()
        assert str(caught.value) == says
    for ours, kind in ((False, CannotLoad), (True, OurFault)):
        student, _ = scripted(names=gone, ours=ours)
        with pytest.raises(kind, match=r"sub\.py could not be imported"):
            student.f()


def test_a_file_that_cannot_be_loaded_is_loaded_once():
    """Every test gets the same error, and it does not grow with every test"""
    student, transport = scripted(names=["error", "ValueError", ["ValueError"], "no", [["sub.py", 3, "", "x"]], None])
    depths = []
    for _ in range(5):
        with pytest.raises(CannotLoad, match=r"sub\.py could not be imported: ValueError: no \(line 3\)") as caught:
            student.f()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))

    assert transport.loads == 1
    assert depths[1:] == [depths[1]] * 4
    assert student.cannot_load is caught.value
    assert not student.loaded


def test_files_too_large_for_the_wire_are_told():
    """No internal error for a folder full of data in Python files"""
    files = Files({f"a{i}.py": b"#" * (1 << 20) for i in range(20)} | {"sub.py": b""}, "sub", "13", ())

    with pytest.raises(CannotLoad, match="more than 16 MiB"):
        Student(LocalTransport(), files).f()


def test_a_handle_of_another_test_is_our_fault(student_in):
    """Objects are forgotten when a test begins: a suite must not keep one"""
    student = student_in("local", "class A:\n    def f(self): return 1\n")
    student.begin_test(1)
    thing = student.A()
    student.begin_test(2)

    with pytest.raises(OurFault, match="an object of class A that belongs elsewhere"):
        thing.f()


def test_a_handle_of_another_subject_is_refused(student_in):
    """An object of the student's means nothing to the reference"""
    one, other = (student_in("local", "class A: pass\ndef f(x): return 1\n") for _ in range(2))

    with pytest.raises(OurFault, match="belongs elsewhere"):
        other.f(one.A())


# Hostile answers

NONSENSE = [
    None, 1, "value", [], ["value"], ["value", 1], ["value", 1, 2], ["value", 1, None, 3], ["other", 1, None], {},
    ["value", 1, []], ["value", 1, CALM[:-1]], ["value", 1, [*CALM, 1]], ["value", 1, [[1], [], [], [], False, False, None]],
    ["value", 1, [[], [], [], [], 0, False, None]], ["value", 1, [[], [], [], [], False, False, 3]],
    ["value", 1, [["x" * 10_000], [], [], [], False, False, None]], ["value", 1, np.ones(7)], ["value", 1, {}],
    ["error"], ["error", 1, [], "", [], None], ["error", "E", None, "", [], None], ["error", "E", [1], "", [], None],
    ["error", "E", [], 3, [], None], ["error", "E", [], "", 3, None], ["error", "E", [], "", [3], None],
    ["error", "E", [], "", [["a", "b", "c", "d"]], None], ["error", "E", [], "", [["a", 1, "c"]], None],
    ["error", "E", [], "", [], 3], ["error", "Unfit", [], 1, [], None], np.ones(3), b"value",
    ["value", Raw([codec.HANDLE, "x", "T", True]), None], ["value", Raw([codec.HANDLE, 1, 2, True]), None],
    ["value", Raw([codec.HANDLE, 1, "T", 2]), None], ["value", Raw([codec.HANDLE]), None],
    ["value", Raw([codec.CALLBACK, 0]), None], ["value", Raw([codec.ARRAY, "<f8", [9], b""]), None],
    (b"\xc1", []), (b"", []), (b"\x91" * 5000, []),
]  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE, ids=lambda answer: repr(answer)[:60])
def test_nonsense_is_the_students_error_and_ends_the_worker(answer):
    """Whatever comes back: one of our errors, the worker is ended, the state is on record"""
    student, transport = scripted(answer)

    with pytest.raises(StudentError, match=r"^f answered with nonsense \("):
        student.f(1)

    assert transport.closed == 1
    assert transport.ends[0][0] == "protocol_error"


@pytest.mark.parametrize(
    "names",
    [
        *NONSENSE,
        ["value", 3, None],
        ["value", {"f": 3}, None],
        ["value", {3: "function"}, None],
        ["value", ["f"], None],
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_nonsense_at_import_is_told_as_such(names):
    """The file cannot be loaded, and nothing else is raised"""
    student, transport = scripted(names=names)

    with pytest.raises(CannotLoad, match=r"^sub\.py could not be imported: it answered with nonsense\.$"):
        student.f(1)

    assert transport.ends[0][0] == "protocol_error"


@pytest.mark.parametrize(
    "answer", [None, 3, "method", [], [3], [1, 2], ["a", "b", "c"], np.ones(2), [np.ones(2)], {}], ids=repr
)
def test_nonsense_for_an_attribute_is_nonsense(answer):
    """What an object is asked about itself has a form too"""
    for question, fine in (
        (lambda thing: thing.w, None),
        (len, lambda answer: type(answer) is int),
        (listed, lambda answer: type(answer) is list and len(answer) < 2),
    ):
        answers = [["value", Raw(THING), CALM], ["value", answer, None]]
        answers[1:1] = [["value", Raw(THING), None]] if question is listed else []
        answers += [["value", [], None]]
        student, transport = scripted(*answers)
        thing = student.A()
        if fine is not None and fine(answer):
            question(thing)
            continue

        with pytest.raises(StudentError, match="answered with nonsense"):
            question(thing)
        assert transport.closed == 1


def test_a_length_that_no_list_has_is_nonsense():
    """Negative, or larger than Python's own limit"""
    for length in (-1, 1 << 70, True, 1.0):
        student, _ = scripted(["value", Raw(THING), CALM], ["value", length, None])
        thing = student.A()
        with pytest.raises(StudentError, match="nonsense"):
            len(thing)


trees = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 9), st.floats(), st.text(max_size=3), st.binary(max_size=3),
        st.sampled_from(["value", "error", "method", "Unfit", "ValueError", "KeyError", "SystemExit", "MemoryError", "type"]),
        st.just(CALM), st.just(["ValueError", "Exception"]), st.just([["sub.py", 1, "f", "x"]]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=7),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
        st.tuples(st.just("value"), inner, st.sampled_from([None, CALM])).map(list),
        st.tuples(st.just("error"), st.text(max_size=3), inner, st.text(max_size=3), inner, inner).map(list),
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(trees)
def test_no_answer_raises_anything_but_an_error_of_ours_or_a_builtin_one(tree):
    """Made-up answers are values, the exceptions they name, or StudentError"""
    student, _ = scripted(tree)
    student.begin_test(1)
    raised = None
    try:
        student.f(1)
    except Exception as error:
        raised = error

    assert raised is None or isinstance(raised, StudentError) or raised.nnkit_raised is not None
    assert isinstance(student.observed, Observation)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_an_error_of_ours(head):
    """Bytes that are no answer at all"""
    student, _ = scripted((head, []))
    with pytest.raises(StudentError):
        student.f(1)


def test_only_ordinary_exceptions_come_out():
    """No name in an answer makes the tests' side raise what would end the session"""
    for name in (
        "SystemExit",
        "KeyboardInterrupt",
        "GeneratorExit",
        "BaseException",
        "StopIteration",
        "exit",
        "BaseExceptionGroup",
    ):
        student, _ = scripted(["error", name, [name, "BaseException", "object"], "text", [], None])
        with pytest.raises(StudentError, match=f"f raised {name}: text"):
            student.f()


def test_what_a_student_says_is_cut_to_a_length():
    """Names, texts and frames of an error cannot fill a report"""
    frames = [["f" * 999, i, "g" * 999, "x" * 999] for i in range(100)]
    student, _ = scripted(["error", "E" * 999, [], "t" * 99_999, frames, None])
    with pytest.raises(StudentError) as caught:
        student.f()
    raised = caught.value.nnkit_raised

    assert (len(raised.type_name), len(raised.text), len(raised.frames)) == (200, 2000, 12)
    assert all(len(text) <= 200 for frame in raised.frames for text in frame if isinstance(text, str))
    assert len(str(caught.value)) < 2500


def test_calls_of_the_tests_functions_can_be_nonsense_too():
    """A number that stands for no function, arguments that are no list, names of options that are no text"""
    from nnkit.grader.student import _Backs

    student, _ = scripted()
    student._functions = [lambda *a, **k: 1]
    for tree in (
        ["back"], ["back", 1, [], {}], ["back", -1, [], {}], ["back", "0", [], {}], ["back", 0, 3, {}], ["back", 0, [], []],
        ["back", 0, [], {}, 1], ["back", 0, Raw([codec.LIST, [codec.CALLBACK, 1]]), {}],
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            _Backs(student, student._record([]))(*head_of(tree))
    reply = _Backs(student, student._record([]))(*head_of(["back", 0, [], {3: 1}]))
    assert codec.Decoder().value(reply[1], reply[2:])[:2] == ["raise", "TypeError"]


def test_missing_names_do_not_reach_the_worker():
    """The names told at import decide"""
    student, transport = scripted()

    with pytest.raises(MissingName):
        student.g(1)

    assert transport.asked == []


def test_an_interrupt_from_the_keyboard_is_not_swallowed(student_in):
    """A student's `except BaseException` in this process does not keep Ctrl-C from the person"""
    import signal

    source = "def f(g):\n    try: g()\n    except BaseException: return 'swallowed'\n"
    student = student_in("local", source)
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        student.f(lambda: signal.raise_signal(signal.SIGINT))

    assert signal.getsignal(signal.SIGINT) is before
    assert student.f(lambda: 1) is None


def test_a_debugger_finds_the_students_frames(student_in):
    """In this process the error's traceback ends in the student's own code"""
    student = student_in("local", "def g(x): return 1 / x\ndef f(x): return g(x)\n")

    with pytest.raises(ZeroDivisionError) as caught:
        student.f(0)

    assert [entry.name for entry in caught.traceback][-2:] == ["f", "g"]


def test_objects_of_the_wire_are_found_by_type():
    """A handle is a Handle, whatever its class is called"""
    student, _ = scripted(["value", Raw([codec.HANDLE, 1, "ndarray", False]), CALM])

    assert type(student.A()) is Handle
    assert msgspec.msgpack.decode(head_of(Raw(THING))[0]) == THING
