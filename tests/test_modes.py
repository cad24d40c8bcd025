"""A suite cannot pass on a student's machine and fail in the grade: both modes give the same values, errors and records."""

import contextlib
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from nnkit.grader import codec
from nnkit.grader.errors import OurFault
from nnkit.grader.student import ChangedArgument, Handle, MissingName, StudentError

MODES = ["local", "graded"]


@dataclass(frozen=True)
class Raises:
    """Stands where a value is expected: the call raises this, with this at the beginning of its text."""

    kind: type
    text: str = ""


def told(value):
    """A value as something that can be compared: types, bits, shapes, what tensors say of themselves."""
    if isinstance(value, Handle):
        return ("handle", value._type_name)
    if codec.is_tensor(value):
        return ("tensor", value.dtype_name, value.requires_grad, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.ndarray | np.generic):
        return (type(value).__name__, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return ("dict", [(told(key), told(entry)) for key, entry in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [told(entry) for entry in value])
    return (type(value).__name__, repr(value))


def happened(student, call):
    """What a test sees of a call: the value or the error, the student's frames, and the record."""
    try:
        outcome = ("value", told(call(student)))
    except Exception as error:  # whatever else comes out is not for a suite to see, and fails here
        raised = getattr(error, "nnkit_raised", None)
        outcome = ("raised", type(error).__name__, str(error), raised)
    return outcome, student.observed


def agree(student_in, source, calls, **options):
    """Make the calls in both modes, demand that they agree, and return what happened."""
    stories = []
    for mode in MODES:
        student = student_in(mode, source, **options)
        student.begin_test(7)
        stories.append([happened(student, call) for call in calls])

    for local, graded in zip(*stories, strict=True):
        assert local == graded
    return stories[0]


# What functions return

VALUES = {
    "None": ("None", None),
    "bool": ("True", True),
    "int": ("3", 3),
    "big int": ("-(1 << 200)", -(1 << 200)),
    "float": ("0.1", 0.1),
    "NaN": ("float('nan')", math.nan),
    "minus zero": ("-0.0", -0.0),
    "complex": ("1 - 2j", 1 - 2j),
    "str": ("'ä\\0'", "ä\0"),
    "bytes": ("b'xy'", b"xy"),
    "bytearray": ("bytearray(b'xy')", b"xy"),
    "numpy float": ("np.float32(1.5)", np.float32(1.5)),
    "numpy int": ("np.int8(-3)", np.int8(-3)),
    "numpy bool": ("np.bool_(True)", np.bool_(True)),
    "numpy text": ("np.str_('x')", "x"),
    "array": ("np.arange(6.0).reshape(2, 3)", np.arange(6.0).reshape(2, 3)),
    "0-dimensional array": ("np.array(2.5)", np.array(2.5)),
    "empty array": ("np.zeros((0, 3))", np.zeros((0, 3))),
    "large array": ("np.arange(10_000)", np.arange(10_000)),
    "float16 array": ("np.ones(3, 'f2')", np.ones(3, "f2")),
    "other byte order": ("np.arange(3, dtype='>i4')", np.arange(3, dtype="i4")),
    "transposed": ("np.arange(6).reshape(2, 3).T", np.arange(6).reshape(2, 3).T),
    "masked array": ("np.ma.array([1.0, 2.0], mask=[True, False])", np.array([1.0, 2.0])),
    "matrix": ("np.ones(2).view(Sub)", np.ones(2)),
    "list subclass": ("SubList([1, 2])", [1, 2]),
    "dict subclass": ("collections.OrderedDict(b=1, a=2)", {"b": 1, "a": 2}),
    "named tuple": ("Point(1, 2)", (1, 2)),
    "defaultdict": ("collections.defaultdict(list, a=[1])", {"a": [1]}),
    "int subclass": ("Level.HIGH", 3),
    "nested": ("{'a': [1, (2.0, [np.ones(1)])], 3: None}", {"a": [1, (2.0, [np.ones(1)])], 3: None}),
    "tuple keys": ("{(1, 'a'): 2}", {(1, "a"): 2}),
    "set": ("{1}", "set"),
    "range": ("range(3)", "range"),
    "generator": ("(x for x in [1])", "generator"),
    "own object": ("Thing()", "Thing"),
    "function": ("len", "builtin_function_or_method"),
    "dataclass": ("Record(1)", "Record"),
    "enum": ("Colour.RED", "Colour"),
    "exception": ("ValueError('x')", "ValueError"),
    "equal to everything": ("Equal()", "Equal"),
    "recursive list": ("loop", Raises(StudentError, "f returned something nested more than 32 deep")),
    "list of itself twice": ("loops", Raises(StudentError, "f returned something nested more than 32 deep")),
    "object array": ("np.array([None])", Raises(StudentError, "f returned an array of dtype object; expected numbers")),
    "text array": ("np.array(['a'])", Raises(StudentError, "f returned an array of dtype <U1")),
    "3 GB array": ("np.zeros(3 << 27)", Raises(StudentError, "f returned 3 GiB of data; at most 256 MiB")),
    "1 TB view": ("np.broadcast_to(1.0, (1 << 37,))", Raises(StudentError, "f returned 1e+03 GiB of data")),
    "long double": ("np.longdouble(1)", Raises(StudentError, "f returned a numpy scalar of dtype")),
    "too large a number": ("1 << 10_000", Raises(StudentError, "f returned a whole number of 10,001 bits")),
    "long list": ("[0] * 300_000", Raises(StudentError, "f returned lists with more than 200,000 entries")),
}

ALL = (
    """\
from __future__ import annotations
import collections, enum
import numpy as np
from dataclasses import dataclass
Point = collections.namedtuple("Point", "x y")
class Sub(np.ndarray):
    tobytes = None
class SubList(list):
    def __iter__(self): raise RuntimeError
class Level(enum.IntEnum):
    HIGH = 3
class Colour(enum.Enum):
    RED = 1
class Thing: pass
@dataclass
class Record:
    x: int
class Equal:
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return np.zeros(3)
    def __float__(self): return 0.0
    __hash__ = None
loop = []; loop.append(loop)
loops = []; loops += [loops, loops]
"""
    "def f(which):\n" + "".join(f"    if which == {name!r}: return {text}\n" for name, (text, _) in VALUES.items())
)


@pytest.fixture(scope="module")
def both(numpy_zygote):
    """The same file in both modes, loaded once for the whole table."""
    from nnkit.grader.processes import Patience
    from nnkit.grader.remote import Budget, RemoteTransport
    from nnkit.grader.sandbox import Ceilings
    from nnkit.grader.student import Student
    from nnkit.grader.transport import Files, LocalTransport

    files = Files({"sub.py": ALL.encode()}, "sub", "13", ("__future__", "collections", "dataclasses", "enum", "numpy"))
    budget = Budget(60.0, 600.0, Patience(20.0, 200.0), Patience(20.0, 200.0))
    client = numpy_zygote.client()
    pair = [Student(LocalTransport(), files), Student(RemoteTransport(client, Ceilings(4 << 30, 60), budget), files)]
    yield pair
    for student in pair:
        student.close()
    client.close()


@pytest.mark.parametrize("which", VALUES)
def test_a_returned_value_is_the_same_in_both_modes(both, which):
    """Plain data arrive as they are, subclasses as their base, objects as handles; the rest is refused with a reason"""
    expected = VALUES[which][1]
    stories = []
    for student in both:
        student.begin_test(1)
        stories.append(happened(student, lambda student: student.f(which)))

    assert stories[0] == stories[1]
    (kind, *what), seen = stories[0]
    if isinstance(expected, Raises):
        assert (kind, what[0]) == ("raised", expected.kind.__name__)
        assert what[1].startswith(expected.text)
    elif what[0][0] == "handle":
        assert what[0][1] == expected
    else:
        assert what[0] == told(expected)
    assert seen.exception is None


# What functions raise

ERRORS = {
    "builtin": ("raise ValueError('too small')", Raises(ValueError, "too small")),
    "KeyError": ("{}['missing']", Raises(KeyError, "'missing'")),
    "no text": ("raise ValueError", Raises(ValueError)),
    "assertion": ("assert 1 == 2, 'no'", Raises(AssertionError, "no")),
    "not implemented": ("raise NotImplementedError('write it')", Raises(NotImplementedError, "write it")),
    "division": ("1 / 0", Raises(ZeroDivisionError, "division by zero")),
    "recursion": ("f(which)", Raises(RecursionError, "maximum recursion depth")),
    "subclass of ValueError": ("raise Odd('odd')", Raises(ValueError, "odd")),
    "numpy's": ("np.linalg.inv(np.zeros((2, 2)))", Raises(ValueError, "Singular matrix")),
    "own": ("raise Own('mine')", Raises(StudentError, "f raised Own: mine")),
    "own without text": ("raise Own", Raises(StudentError, "f raised Own")),
    "five arguments": ("b'\\xff'.decode()", Raises(StudentError, "f raised UnicodeDecodeError: 'utf-8' codec")),
    "bad text": ("raise Mute", Raises(ValueError, "(its text could not be made)")),
    "long text": ("raise ValueError('x' * 10_000)", Raises(ValueError, "x" * 2000)),
    "SystemExit": ("raise SystemExit(0)", Raises(StudentError, "f raised SystemExit: 0")),
    "exit()": ("exit(3)", Raises(StudentError, "f raised SystemExit: 3")),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", Raises(StudentError, "f raised KeyboardInterrupt")),
    "GeneratorExit": ("raise GeneratorExit", Raises(StudentError, "f raised GeneratorExit")),
    "StopIteration": ("next(iter([]))", Raises(StudentError, "f raised StopIteration")),
    "from a generator": ("list(1 / 0 for _ in [1])", Raises(ZeroDivisionError)),
    "group": ("raise ExceptionGroup('two', [ValueError(1)])", Raises(StudentError, "f raised ExceptionGroup: two")),
    "called Unfit": ("raise Unfit('trick')", Raises(StudentError, "f raised Unfit: trick")),
    "out of memory": ("np.zeros(1 << 50)", Raises(MemoryError, "Unable to allocate")),
    "syntax": ("compile('1 +', 'x', 'eval')", Raises(SyntaxError, "invalid syntax")),
}

RAISING = """\
import numpy as np
class Odd(ValueError): pass
class Own(Exception): pass
class Unfit(Exception): pass
class Mute(ValueError):
    def __str__(self): raise RuntimeError
def f(which):
""" + "".join(f"    if which == {name!r}:\n        {text}\n" for name, (text, _) in ERRORS.items())


@pytest.fixture(scope="module")
def raising(numpy_zygote):
    from nnkit.grader.processes import Patience
    from nnkit.grader.remote import Budget, RemoteTransport
    from nnkit.grader.sandbox import Ceilings
    from nnkit.grader.student import Student
    from nnkit.grader.transport import Files, LocalTransport

    files = Files({"sub.py": RAISING.encode()}, "sub", "13", ("numpy",))
    budget = Budget(60.0, 600.0, Patience(20.0, 200.0), Patience(20.0, 200.0))
    client = numpy_zygote.client()
    pair = [Student(LocalTransport(), files), Student(RemoteTransport(client, Ceilings(4 << 30, 60), budget), files)]
    yield pair
    for student in pair:
        student.close()
    client.close()


@pytest.mark.parametrize("which", ERRORS)
def test_an_exception_is_the_same_in_both_modes(raising, which):
    """`pytest.raises(ValueError)` holds for a subclass too; what would end a session comes out as an ordinary error"""
    expected = ERRORS[which][1]
    stories = []
    for student in raising:
        student.begin_test(1)
        with pytest.raises(expected.kind) as caught:
            student.f(which)
        assert type(caught.value) in (expected.kind, ValueError)
        assert str(caught.value).startswith(expected.text)
        stories.append(happened(student, lambda student: student.f(which)))

    assert stories[0] == stories[1]
    raised, seen = stories[0][0][3], stories[0][1]
    assert raised.type_name == seen.exception
    assert raised.frames[0][0] == "sub.py"
    assert raised.frames[0][2] == "f"


def test_only_the_students_own_frames_are_told(student_in):
    """Frames of numpy and of the kit are left out; the lines are there though no file is"""
    source = "import numpy as np\ndef g(x):\n    return np.linalg.inv(x)\ndef f(x):\n    return g(x)\n"

    ((outcome, _),) = agree(student_in, source, [lambda student: student.f(np.zeros((2, 2)))])

    assert outcome[3].frames == (("sub.py", 5, "f", "return g(x)"), ("sub.py", 3, "g", "return np.linalg.inv(x)"))


# Objects

OBJECTS = """\
import numpy as np
class Layer:
    '''Has all that a test may ask of an object.'''
    size = 3
    def __init__(self, w): self.w, self.inner, self.calls = np.asarray(w), Inner(), 0
    def __call__(self, x): self.calls += 1; return x @ self.w
    def __len__(self): return len(self.w)
    def __getitem__(self, key): return self.w[key]
    def __iter__(self): return iter([1, self, 'x'])
    def step(self, x, *, lr=0.5): self.w = self.w - lr * x; return self
    @property
    def broken(self): raise ValueError('broken')
    @staticmethod
    def double(x): return 2 * x
    def same(self, other): return self is other
    Kind = dict
class Inner:
    b = 2.5
    def __call__(self, x): return -x
class Numbers:
    def __iter__(self):
        n = 0
        while True: yield (n := n + 1)
def batches(n):
    for i in range(n): yield np.full(i, i)
def nothing(): return None
def make(): return lambda x: x + 1
def ask(layer): return layer.calls
layer = Layer([[1.0]])
pi = 3.14
"""


def test_objects_behave_the_same_in_both_modes(student_in):
    """Construction, methods, attributes, len, indexing, iteration, calls, and the way back as an argument"""
    stories = agree(
        student_in,
        OBJECTS,
        [
            lambda s: s.Layer([[1.0, 2.0], [3.0, 4.0]]),
            lambda s: s.Layer([[1.0, 2.0], [3.0, 4.0]]).w,
            lambda s: s.Layer([[2.0]])(np.array([3.0])),
            lambda s: len(s.Layer([1.0, 2.0])),
            lambda s: s.Layer([1.0, 2.0])[1],
            lambda s: s.Layer([1.0, 2.0])[5],
            lambda s: list(s.Layer([1.0])),
            lambda s: [batch.shape for batch in s.batches(3)],
            lambda s: s.Layer([1.0]).step(np.array([4.0]), lr=0.25).w,
            lambda s: s.Layer([1.0]).broken,
            lambda s: s.Layer([1.0]).missing,
            lambda s: s.Layer([1.0]).double(4),
            lambda s: s.Layer([1.0]).Kind(a=1),
            lambda s: s.Layer([1.0]).inner.b,
            lambda s: s.Layer([1.0]).inner(2),
            lambda s: s.make()(41),
            lambda s: s.layer.size,
            lambda s: s.pi,
            lambda s: len(s.Numbers()),
            lambda s: s.nothing(),
        ],
    )

    outcomes = [outcome for outcome, _ in stories]
    assert outcomes[0] == ("value", ("handle", "Layer"))
    assert outcomes[2] == ("value", told(np.array([6.0])))
    assert [outcome[1] for outcome in outcomes[3:5]] == [told(2), told(np.float64(2))]
    assert outcomes[5][1] == "IndexError"
    assert outcomes[6] == ("value", ("list", [told(1), ("handle", "Layer"), told("x")]))
    assert outcomes[7] == ("value", told([(0,), (1,), (2,)]))
    assert outcomes[8] == ("value", told(np.array([0.0])))
    assert outcomes[9][1:3] == ("ValueError", "broken")
    assert outcomes[10][1] == "AttributeError"
    assert outcomes[16:18] == [("value", told(3)), ("value", told(3.14))]
    assert [outcome[1] for outcome in outcomes[11:18]] == [*map(told, (8, {"a": 1}, 2.5, -2, 42, 3, 3.14))]
    assert outcomes[18][1] == "TypeError"


def test_an_object_keeps_its_state_and_its_identity(student_in):
    """A handle goes back as the very object it stands for; setting an attribute is seen by the student's code"""

    def story(student):
        layer = student.Layer([[1.0]])
        layer(np.array([1.0]))
        layer(np.array([1.0]))
        first = student.ask(layer)
        layer.calls = 7
        twin = student.Layer([[1.0]])
        return [first, student.ask(layer), layer.same(layer), layer.same(twin), twin.calls]

    ((outcome, _),) = agree(student_in, OBJECTS, [story])

    assert outcome == ("value", told([2, 7, True, False, 0]))


def test_an_attribute_that_becomes_data_is_data(student_in):
    """What was a method of one object may be data of another, and of the same one later"""

    def story(student):
        one, other = student.Layer([1.0]), student.Layer([1.0])
        one.double(2)
        other.double = 5
        before = other.double
        one.double = 6
        return [before, one.double]

    ((outcome, _),) = agree(student_in, OBJECTS, [story])

    assert outcome == ("value", told([5, 6]))


def test_endless_iteration_ends(student_in, monkeypatch):
    """An iterator that never ends is stopped with a sentence"""
    monkeypatch.setattr("nnkit.grader.student.ITERATION_LIMIT", 50)

    ((outcome, _),) = agree(student_in, OBJECTS, [lambda s: list(s.Numbers())])

    assert outcome[1:3] == ("StudentError", "Numbers does not end after 50 entries")


# Functions of the test's

CALLING = """\
import numpy as np
def f(g, x): return g(x)
def twice(g, x): return g(x) + g(x)
def keep(g): global kept; kept = g; return None
def use(x): return kept(x)
def swallow(g, x):
    try: return g(x)
    except BaseException as error: return [type(error).__name__, str(error)]
def odd(g): return g(object())
def wrong(g): return g(np.array([None]))
def options(g): return g(1, b=2)
"""


def raise_value_error(x):
    raise ValueError("not this")


def raise_own(x):
    class Own(Exception):
        pass

    raise Own("mine")


def test_functions_of_the_test_are_called_back(student_in):
    """Arguments and results cross as plain data, exceptions keep their builtin type, objects come as handles"""
    counted = []
    stories = agree(
        student_in,
        CALLING,
        [
            lambda s: s.f(lambda x: x * 2.0, np.arange(3)),
            lambda s: s.twice(lambda x: counted.append(x) or 1, 5),
            lambda s: [s.keep(lambda x: x + 1), s.use(1), s.use(2)],
            lambda s: s.options(lambda a, b: [a, b]),
            lambda s: s.f(raise_value_error, 1),
            lambda s: s.swallow(raise_value_error, 1),
            lambda s: s.swallow(raise_own, 1),
            lambda s: s.f(raise_own, 1),
            lambda s: s.f(lambda: 1, 1),
            lambda s: s.odd(repr),
            lambda s: s.odd(lambda thing: thing),
            lambda s: s.wrong(lambda x: x),
        ],
    )

    outcomes = [outcome for outcome, _ in stories]
    assert counted == [5] * 4
    assert outcomes[2] == ("value", told([None, 2, 3]))
    assert outcomes[3] == ("value", told([1, 2]))
    assert outcomes[4][1:3] == ("ValueError", "not this")
    assert outcomes[5] == ("value", told(["ValueError", "not this"]))
    assert outcomes[6] == ("value", told(["RuntimeError", "mine"]))
    assert outcomes[7][1:3] == ("RuntimeError", "mine")
    assert outcomes[8][1] == "TypeError"
    assert outcomes[9] == ("value", told("<an object of class object>"))
    assert outcomes[10][1] == "TypeError"  # the object is the student's, and the function gives it back
    assert outcomes[11][1:3] == (
        "TypeError",
        "a function that was passed in got an array of dtype object; expected numbers or booleans",
    )


@pytest.mark.parametrize("mode", MODES)
def test_what_a_test_asserts_in_its_function_ends_the_test(student_in, mode):
    """An assertion, pytest.fail and pytest.skip come out even when the student's code swallows them"""
    student = student_in(mode, CALLING)

    def asserts(x):
        assert x == 3, "not 3"

    with pytest.raises(AssertionError, match="not 3"):
        student.swallow(asserts, 4)
    with pytest.raises(pytest.fail.Exception, match="so it is"):
        student.swallow(lambda x: pytest.fail("so it is"), 4)
    with pytest.raises(pytest.skip.Exception):
        student.swallow(lambda x: pytest.skip("not here"), 4)
    assert student.f(abs, -4) == 4


@pytest.mark.parametrize("mode", MODES)
def test_a_question_inside_a_question_is_our_fault(student_in, mode):
    """A function that a test passes in may not ask the student's code in turn, whatever the student's code makes of it"""
    student = student_in(mode, CALLING)

    with pytest.raises(OurFault, match="asks the student's code in turn"):
        student.swallow(lambda x: student.f(abs, x), 1)
    assert student.f(abs, -1) == 1


@pytest.mark.parametrize("mode", MODES)
def test_what_a_test_cannot_pass_is_our_fault(student_in, mode):
    """Not the student's: objects, other functions of the student's, results that are no plain data"""
    student = student_in(mode, CALLING)

    for call in (
        lambda: student.f(abs, object()),
        lambda: student.f(student.twice, 1),
        lambda: student.f(abs, np.array([None])),
        lambda: student.swallow(lambda x: object(), 1),
    ):
        with pytest.raises(OurFault):
            call()


TO_BLAME = """\
def huge(f): return f(10 ** 1200)
def thing(f): return f([object()])
def quiet(f):
    try: f(object())
    except Exception as error: return str(error)
"""


@pytest.mark.parametrize("mode", MODES)
def test_what_the_students_code_passes_to_a_function_is_never_our_fault(student_in, mode):
    """Values too large to come back, objects that come back or are used: a test that fails, and no unknown result"""
    student = student_in(mode, TO_BLAME)

    with pytest.raises(TypeError, match=r"for these arguments the function's value is a whole number of"):
        student.huge(lambda x: x * x)
    for function in (lambda x: x, lambda x: x[0].shape, lambda x: [entry(1) for entry in x]):
        with pytest.raises((TypeError, RuntimeError), match="an object"):
            student.thing(function)
    assert "called with an object" in student.quiet(lambda x: x.sum())


# What is recorded

RECORDED = """\
import random, warnings
import numpy as np
def overflow(x): return np.exp(x)
def several(x): return np.log(x) + np.sqrt(x)
def warn(x): warnings.warn('careful', DeprecationWarning); return x
def silent(x):
    with np.errstate(all='ignore'): return np.exp(x)
def caught(x):
    with np.errstate(all='raise'):
        try: return np.exp(x)
        except FloatingPointError: return 0.0
def reset(x): np.seterr(all='ignore'); warnings.simplefilter('ignore'); return np.exp(x)
def in_place(x, y): x += 1; y[0] = 5; return 0
def sort(x): x.sort(); return len(x)
def deep(x): x['a'][0][1] = 9; return 0
def same(x): return x
def view(x): return {'deep': [x[1:]]}
def fresh(x): return x + 0
def fail(x): x[0] = 9; raise ValueError('after')
def unfit(x): x[0] = 9; warnings.warn('w'); return [x, {1: object, 2: np.array([None])}]
def draw(x): np.random.rand(); return x
def draw_too(x): random.random(); return x
def tuples(x): x[0][0] = 2.5; return x[0]
def nothing(x): return None
"""


def test_the_record_of_a_call_is_the_same_in_both_modes(student_in):
    """Floating-point flags, warnings, changed arguments, shared memory, random states, the exception"""
    big, x = np.array([1000.0]), np.arange(4.0)
    calls = {
        "overflow": lambda s: s.overflow(big),
        "several": lambda s: s.several(np.array([-1.0, 0.0])),
        "warn": lambda s: s.warn(1),
        "silent": lambda s: s.silent(big),
        "caught": lambda s: s.caught(big),
        "reset": lambda s: s.reset(big),
        "overflow again": lambda s: s.overflow(big),
        "in place": lambda s: s.in_place(x, [1, 2]),
        "sort": lambda s: s.sort([3, 1, 2]),
        "sorted": lambda s: s.sort([1, 2, math.nan]),
        "deep": lambda s: s.deep({"a": [[1, 2]]}),
        "same": lambda s: s.same(x),
        "view": lambda s: s.view(x),
        "fresh": lambda s: s.fresh(x),
        "fail": lambda s: s.fail(x),
        "unfit": lambda s: s.unfit(x),
        "draw": lambda s: s.draw(1),
        "draw too": lambda s: s.draw_too(1),
        "tuples": lambda s: s.tuples((x, x)),
        "nothing": lambda s: s.nothing(x),
    }
    with np.errstate(all="warn"):
        told_of = dict(zip(calls, agree(student_in, RECORDED, calls.values()), strict=True))

    seen = {name: record for name, (_, record) in told_of.items()}
    assert [seen[name].flags for name in ("overflow", "silent", "caught", "overflow again")] == [
        {"over"}, set(), set(), {"over"},
    ]  # fmt: skip
    assert seen["several"].flags == {"divide", "invalid"}
    assert seen["warn"].warnings == ("DeprecationWarning: careful",)
    assert {name: record.changed for name, record in seen.items() if record.changed} == {
        "in place": ("x", "y"), "sort": ("x",), "deep": ("x",), "fail": ("x",), "unfit": ("x",), "tuples": ("x",),
    }  # fmt: skip
    assert {name for name, record in seen.items() if record.shares_memory} == {"same", "view", "unfit", "tuples"}
    assert [name for name, record in seen.items() if record.random_state_changed] == ["draw", "draw too"]
    assert [name for name, record in seen.items() if record.exception] == ["fail"]
    assert seen["unfit"].warnings == ("UserWarning: w",)
    assert told_of["in place"][0][1:3] == (
        "ChangedArgument",
        "in_place changed its argument x and y in place; return a new array and leave the arguments as they were.",
    )
    assert told_of["fail"][0][1:3] == ("ValueError", "after")
    assert seen["nothing"] == type(seen["nothing"])()


@pytest.mark.parametrize("mode", MODES)
def test_a_function_may_be_allowed_to_change_its_argument(student_in, mode):
    """`may_change` names functions and methods; the record still tells, and the test's own array stays as it is"""
    source = "class Opt:\n    def step(self, w): w -= 1\ndef f(w): w -= 1\n"
    student = student_in(mode, source, may_change=("Opt.step",))
    w = np.ones(2)

    student.Opt().step(w)

    assert student.observed.changed == ("w",)
    with pytest.raises(ChangedArgument):
        student.f(w)
    assert w.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("mode", MODES)
def test_the_record_is_of_the_last_call(student_in, mode):
    """Looking at an attribute, a length or an entry in between does not wipe it out; the next call does"""
    source = (
        "import numpy as np\nclass A:\n    b = 2\n    def f(self, x): return np.exp(x)\n"
        "    def __len__(self): return 3\n    def __getitem__(self, i): return i\n"
    )
    student = student_in(mode, source)
    thing = student.A()
    thing.f(np.array([1e3]))
    assert (thing.b, len(thing), thing[1]) == (2, 3, 1)

    assert student.observed.flags == {"over"}
    thing.f(np.array([1.0]))
    assert student.observed.flags == set()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_watched_leaves_no_record(student_in, mode):
    """Inside `unwatched`, for timing, arguments may change and nothing is kept for the diagnosis"""
    student = student_in(mode, "def f(x):\n    x += 1\n    return x\n")
    with student.unwatched():
        student.f(np.ones(3))
    assert student.transcript == []
    assert not student.observed.changed

    with pytest.raises(ChangedArgument):
        student.f(np.ones(3))
    assert len(student.transcript) == 1


def test_random_numbers_start_where_the_test_says(student_in):
    """The global states are seeded for every test: the same numbers in both modes, other ones for another seed"""
    source = "import random\nimport numpy as np\ndef f(): return [np.random.rand(), random.random()]\n"
    drawn = []
    for mode in MODES:
        student = student_in(mode, source)
        for seed in (1, 2, 1):
            student.begin_test(seed)
            drawn.append(student.f())

    assert drawn[0] == drawn[2] == drawn[3]
    assert drawn[:3] == drawn[3:]
    assert drawn[0] != drawn[1]


# How files are loaded


def test_files_that_cannot_be_imported_say_why_in_both_modes(student_in):
    """Errors at import come with their type, text and line; nothing of them ends the session"""
    for source, text in {
        "x = 1\nraise ValueError('no')\n": "sub.py could not be imported: ValueError: no (line 2)",
        "def f(:\n": "sub.py could not be imported: SyntaxError: invalid syntax (sub.py, line 1) (line 1)",
        "import sys_\nsys_.exit()\n": "sub.py could not be imported: ImportError: sys_ is not available in section 13",
        "raise SystemExit(0)\n": "sub.py could not be imported: SystemExit: 0 (line 1)",
        "raise KeyboardInterrupt\n": "sub.py could not be imported: KeyboardInterrupt (line 1)",
        "x = '\0'\n": "sub.py could not be imported: SyntaxError: source code string cannot contain null bytes",
        b"x = '\xff'\n": "sub.py could not be imported: SyntaxError: (unicode error)",
        "from .helper import x\n": "sub.py could not be imported: ImportError: attempted relative import",
        "import helper\n": "sub.py could not be imported: NameError: name 'y' is not defined (line 1)",
        "class A(torch_.nn.Module): pass\n": "sub.py could not be imported: NameError",
    }.items():
        ((outcome, _),) = agree(student_in, source, [lambda s: s.f(1)], helpers={"helper": "x = y\n"})

        assert outcome[1] == "CannotLoad"
        assert outcome[2].startswith(text), outcome[2]


def test_the_frames_of_a_helper_file_are_told_too(student_in):
    """An error in a file beside the main one names that file"""
    source = "from helper import g\ndef f(x): return g(x)\n"

    stories = agree(
        student_in, source, [lambda s: s.f(0), lambda s: s.f(2)], helpers={"helper": "def g(x):\n    return 1 / x\n"}
    )

    assert stories[0][0][3].frames[-1] == ("helper.py", 2, "g", "return 1 / x")
    assert stories[1][0] == ("value", told(0.5))


def test_a_helper_file_is_imported_once_and_by_its_own_name(student_in):
    """`import helper`, `from helper import ...` and helpers that import each other work as they do for Python"""
    source = (
        "import helper\nimport other\nfrom helper import state\ndef f(): return [state, other.get(), helper.__name__]\n"
    )
    helpers = {
        "helper": "state = []\nstate.append(1)\n",
        "other": "import helper\nhelper.state.append(2)\ndef get(): return helper.state\n",
    }

    ((outcome, _),) = agree(student_in, source, [lambda s: s.f()], helpers=helpers)

    assert outcome == ("value", told([[1, 2], [1, 2], "helper"]))


PLACEHOLDERS = """\
from __future__ import annotations
import matplotlib.pyplot as plt
from scipy import special, stats as st
import torch
from torch import nn
def plot(x): plt.plot(x)
def typed(x: torch.Tensor | None, y: "nn.Module" = None) -> torch.Tensor: return x
def asks(x): return isinstance(x, torch.Tensor)
def adds(x): return x + special.gamma
def sets(x): plt.rcParams['a'] = x
def loops(x): return list(st)
def version(x): return torch.__version__
"""


def test_a_module_that_is_not_there_costs_nothing_until_it_is_used(student_in):
    """Importing it, and naming it in a type hint, is free; any use of it says that it is not available"""
    calls = [
        lambda s, name=name: getattr(s, name)(1)
        for name in ("typed", "plot", "asks", "adds", "sets", "loops", "version")
    ]

    stories = agree(student_in, PLACEHOLDERS, calls)

    assert stories[0][0] == ("value", told(1))
    for (_, kind, text, _), _ in stories[1:]:
        assert kind in ("ImportError", "AttributeError")
        assert text.endswith("is not available in section 13; write it without.")


def test_type_hints_of_modules_that_are_not_there_are_free_at_import(student_in):
    """Also without `from __future__ import annotations`"""
    source = "import torch\ndef f(x: torch.Tensor | None, y: None | torch.Tensor = None) -> torch.nn.Module: return x\n"

    ((outcome, _),) = agree(student_in, source, [lambda s: s.f(1)])

    assert outcome == ("value", told(1))


def test_dataclasses_and_string_annotations_work(student_in):
    """A dataclass looks for its module by name: the file is there for it"""
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\nfrom typing import ClassVar\n"
        "@dataclass(slots=True)\nclass State:\n    kind: ClassVar[str] = 'adam'\n    t: int = 0\n"
        "    m: list[float] = field(default_factory=list)\n"
        "def f(n: int) -> State: return State(n, [1.0])\ndef g(s: State) -> int: return s.t\n"
    )

    stories = agree(student_in, source, [lambda s: [s.f(3).t, s.f(3).m, s.f(3).kind, s.g(s.f(4))]])

    assert stories[0][0] == ("value", told([3, [1.0], "adam", 4]))


@pytest.mark.parametrize("mode", MODES)
def test_a_missing_name_is_told(student_in, mode):
    """The student reads which name the section asks for"""
    student = student_in(mode, "def other(): pass\n")

    with pytest.raises(
        MissingName, match=r"^sub\.py has no `f`, which section 13 asks for; keep the names of the stub\.$"
    ):
        student.f(1)


@pytest.mark.parametrize("mode", MODES)
def test_what_a_file_sets_at_import_stays_in_it(student_in, mode):
    """np.seterr and warnings.simplefilter of a student's file do not reach the tests' own computations"""
    source = "import warnings\nimport numpy as np\nnp.seterr(all='raise')\nwarnings.simplefilter('ignore')\ndef f(x): return np.exp(x)\n"
    before = np.geterr()
    student = student_in(mode, source)

    assert student.f(np.array([1e3])).tolist() == [math.inf]
    assert np.geterr() == before
    with pytest.raises(DeprecationWarning):
        __import__("warnings").warn("still heard", DeprecationWarning, stacklevel=1)


def test_printing_50_megabytes_does_no_harm(student_in, capfd):
    """What is printed is taken away while the answer is waited for"""
    source = "def f():\n    for _ in range(50): print('x' * (1 << 20))\n    return 1\n"
    for mode in MODES:
        student = student_in(mode, source)
        assert student.f() == 1
        capfd.readouterr()


# Tensors

TENSORS = """\
import torch
def f(x): return x * 2
def kinds(): return [torch.ones(2, dtype=torch.bfloat16), torch.tensor(1.5, dtype=torch.bfloat16), torch.tensor([True]),
                     torch.nn.Parameter(torch.zeros(2, 0)), torch.ones(2, 3).T, torch.tensor([1j]).conj()]
def inspect(x): return [type(x).__name__, str(x.dtype), x.requires_grad, list(x.shape)]
def sparse(): return torch.ones(2, 2).to_sparse()
def huge(): return torch.zeros(1).expand(1 << 40)
def in_place(x): x.add_(1); return x
def grad(x): (x * x).sum().backward(); return x.grad
def default(x): torch.set_default_dtype(torch.float64); return x
def back(x): torch.set_default_dtype(torch.float32); return x
def draw(x): return torch.rand(2)
def no_result(x): return x.detach()
class Net(torch.nn.Module):
    def __init__(self): super().__init__(); self.fc = torch.nn.Linear(2, 1); self.act = torch.relu
    def forward(self, x): return self.act(self.fc(x))
"""


def test_tensors_are_the_same_in_both_modes(student_in):
    """Element types, bfloat16 and scalars of it, `requires_grad`, changes in place, the default type, random numbers"""
    t = codec.tensor
    stories = agree(
        student_in,
        TENSORS,
        [
            lambda s: s.f(t([1.5, 2.0], "bfloat16")),
            lambda s: s.kinds(),
            lambda s: s.inspect(t(np.ones((2, 3), np.float32), requires_grad=True)),
            lambda s: s.inspect(t(2.5, "bfloat16")),
            lambda s: s.inspect(np.ones(2)),
            lambda s: s.sparse(),
            lambda s: s.huge(),
            lambda s: s.in_place(t([1.0])),
            lambda s: s.grad(t([1.0], requires_grad=True)),
            lambda s: s.default(1),
            lambda s: s.back(1),
            lambda s: s.draw(1),
            lambda s: s.no_result(t([1.0], requires_grad=True)),
            lambda s: s.Net().fc.weight,
            lambda s: s.Net()(t(np.ones((3, 2)), "float32")),
            lambda s: s.Net().state_dict(),
        ],
        torch=True,
    )

    outcomes = [outcome for outcome, _ in stories]
    assert outcomes[0] == ("value", told(t([3.0, 4.0], "bfloat16")))
    kinds = outcomes[1][1][1]
    assert [kind[1] for kind in kinds] == ["bfloat16", "bfloat16", "bool", "float32", "float32", "complex64"]
    assert [kind[4] for kind in kinds] == [(2,), (), (1,), (2, 0), (3, 2), (1,)]
    assert kinds[3][2]
    assert outcomes[2] == ("value", told(["Tensor", "torch.float32", True, [2, 3]]))
    assert outcomes[3] == ("value", told(["Tensor", "torch.bfloat16", False, []]))
    assert outcomes[4][1] == "AttributeError"
    assert outcomes[5][2].startswith("sparse returned a tensor of dtype float32 and layout torch.sparse_coo")
    assert outcomes[6][2].startswith("huge returned")
    assert outcomes[7][1] == "ChangedArgument"
    assert outcomes[8][1] == "ChangedArgument"
    assert [seen.default_dtype_changed for _, seen in stories[9:11]] == [True, True]
    assert stories[11][1].random_state_changed
    assert stories[12][1].shares_memory == ("x",)
    assert outcomes[13][1][:3] == ("tensor", "float32", True)
    assert outcomes[14][1][4] == (3, 1)
    assert [key for key, _ in outcomes[15][1][1]] == [told("fc.weight"), told("fc.bias")]


@pytest.mark.parametrize("mode", MODES)
def test_a_read_only_array_crosses_as_a_tensor(student_in, mode):
    """Where no copy was made, torch would warn about memory that must not be written to"""
    student = student_in(mode, TENSORS, torch=True)
    sent = codec.tensor(np.ones(1000, np.float32))
    sent.flags.writeable = False
    with contextlib.suppress(ChangedArgument):
        student.in_place(sent)

    assert student.f(sent)[0] == 2.0


# Many calls in one crossing

TOGETHER = """\
import numpy as np
asked = []
def double(x, by=2):
    asked.append(1)
    return x * by
def root(x):
    return np.sqrt(x)
def refuse(x):
    raise ValueError(f"x is {x}")
def spoil(x):
    x[0] = 7
    return 1
def count():
    return len(asked)
def call(f):
    return f(1)
class Sum:
    def __init__(self): self.all = 0
    def add(self, x):
        self.all += x
        return self.all
    def __call__(self, x): return self.all * x
    def __len__(self): return self.all
    def __mul__(self, x): return Sum()
"""


def test_calls_together_give_what_calls_one_by_one_give(student_in):
    """Values in order, options, methods of one object in order, in both modes; 300 calls are several crossings"""
    x = np.arange(3.0)
    calls = [
        lambda student: student.together([partial(student.double, x), partial(student.double, x, by=3)]),
        lambda student: [student.double(x), student.double(x, by=3)],
        lambda student: student.together(partial(student.double, place) for place in range(300)),
        lambda student: student.together([partial(student.double, np.ones(100_000))] * 4),
        lambda student: student.together([partial(adder.add, n) for adder in [student.Sum()] for n in (1, 2, 3)]),
        lambda student: student.together([]),
        lambda student: student.count(),
    ]

    (pair, _), (singles, _), (many, _), (large, _), (sums, _), (nothing, _), (count, _) = agree(
        student_in, TOGETHER, calls
    )

    assert pair == singles
    assert many == ("value", told([2 * place for place in range(300)]))
    assert large == ("value", told([np.full(100_000, 2.0)] * 4))
    assert sums == ("value", told([1, 3, 6]))
    assert nothing == ("value", told([]))
    assert count == ("value", told(308))


def test_errors_of_calls_together(student_in):
    """The first error is raised; with catch it stands in place of its value, but a changed argument is no such error"""
    calls = [
        lambda student: student.together(
            [partial(student.double, 1), partial(student.refuse, 2), partial(student.spoil, [1])]
        ),
        lambda student: [
            str(value)
            for value in student.together([partial(student.refuse, 2), partial(student.double, 1)], catch=True)
        ],
        lambda student: student.together([partial(student.refuse, 2), partial(student.spoil, np.ones(2))], catch=True),
        lambda student: student.together([partial(student.nothing, 2)], catch=True),
    ]

    (first, _), (caught, _), (changed, _), (missing, _) = agree(student_in, TOGETHER, calls)

    assert first[1:3] == ("ValueError", "x is 2")
    assert first[3].frames == (("sub.py", 9, "refuse", 'raise ValueError(f"x is {x}")'),)
    assert caught == ("value", told(["x is 2", "2"]))
    assert changed[1] == "ChangedArgument"
    assert missing[1] == "MissingName"


def test_what_is_observed_of_calls_together(student_in):
    """The record holds what happened in any of the calls, and nothing of calls before"""
    calls = [
        lambda student: student.root(np.array([-1.0])),
        lambda student: student.together([partial(student.double, 1), partial(student.double, 2)]),
        lambda student: student.together([partial(student.root, np.array([-1.0])), partial(student.double, 2)]),
    ]

    (_, before), (_, calm), (_, seen) = agree(student_in, TOGETHER, calls)

    assert "invalid" in before.flags
    assert not calm.flags
    assert "invalid" in seen.flags


def test_the_newest_object_in_calls_together(student_in):
    """It stands for what the last maker made, which may be asked, set, measured and called before it is there"""

    def made(student):
        newest = student.newest(student.Sum)
        make = partial(student.Sum)
        return student.together(
            [
                *(make, partial(newest.add, 1), partial(newest.add, 2)),
                *(make, partial(newest.add, 5), partial(setattr, newest, "all", 10), partial(newest.add, 5)),
                *(partial(newest, 3), partial(len, newest), partial(student.double, newest)),
            ]
        )

    ((values, _),) = agree(student_in, TOGETHER, [made])

    handle = ("handle", "Sum")
    assert values[1][1] == [handle, told(1), told(3), handle, told(5), told(None), told(15), told(45), told(15), handle]


@pytest.mark.parametrize("mode", MODES)
def test_calls_together_take_no_functions(student_in, mode):
    """A test that hands over functions makes its calls one by one; what is no call of the student's is our bug"""
    student = student_in(mode, TOGETHER)
    student.begin_test(1)

    for calls in ([partial(student.call, abs)], [partial(student.double, 1)]):
        with pytest.raises(OurFault, match="one by one"):
            student.together(calls)
    for call in (student.double, partial(abs, 1), partial(np.sqrt, 1)):
        with pytest.raises(OurFault, match="partial"):
            student.together([call])


def test_a_worker_that_ends_among_calls_together(student_in, submitted):
    """The sentence names what was asked, each name once, and the next question meets a new worker"""
    source = "import os\ndef f(x): return x\ndef g(x): os._exit(3)"
    student = student_in("graded", submitted(source, available=("os",)))
    student.begin_test(1)

    with pytest.raises(StudentError, match=r"^f or g did not come back\. It ended its own process with exit code 3\.$"):
        student.together([partial(student.f, 1), partial(student.g, 1), partial(student.f, 2)])
    assert student.f(3) == 3
