"""Speed is a ratio to the reference, by a clock that the student's code cannot touch."""

import numpy as np
import pytest

from nnkit.grader.errors import OurFault, TooSlow
from nnkit.grader.speed import Speed

FAST = "import numpy as np\ndef f(x): return np.exp(x)\n"
LOOPS = "import math\nimport numpy as np\ndef f(x): return np.array([math.exp(v) for v in x])\n"


def run(module, x):
    return module.f(x)


def inputs():
    return (np.linspace(0, 1, 100_000),)


@pytest.fixture
def speed_of(student_in):
    """Makes a `speed` of a student's text against the fast one."""

    def make(source):
        sides = student_in("graded", source), student_in("graded", FAST, observe=False, ours=True)
        return Speed(lambda: sides), sides

    return make


def test_code_like_the_references_passes(speed_of):
    """The ratio of equal code is about 1, and comes back"""
    speed, _ = speed_of(FAST)

    assert 0.2 < speed.at_most(5, run, inputs) <= 5


def test_a_python_loop_is_too_slow(speed_of):
    """The failure says how slow, in ratio and in milliseconds, and what to look for"""
    speed, _ = speed_of(LOOPS)

    with pytest.raises(
        TooSlow, match=r"^Too slow: [\d.e+]+ times .* \([\d.]+ ms against [\d.]+ ms\); at most 2 times .* loops"
    ):
        speed.at_most(2, run, inputs)


def test_the_clock_is_out_of_reach(speed_of):
    """Making the empty round trip dear, which is subtracted, helps nobody: the reference's own is taken"""
    cheat = LOOPS + (
        "from nnkit.grader import worker, codec\nimport time\nold = worker.Worker._simple\n"
        "def slow(self, question):\n    end = time.process_time() + 0.1\n"
        "    while question[0] == 'echo' and time.process_time() < end: pass\n    return old(self, question)\n"
        "worker.Worker._simple = slow\ntime.clock_gettime = lambda *a: 0.0\n"
    )
    speed, sides = speed_of(LOOPS)
    files = sides[0].files
    object.__setattr__(files, "sources", {"sub.py": cheat.encode()})
    object.__setattr__(files, "available", (*files.available, "nnkit", "time"))

    with pytest.raises(TooSlow):
        speed.at_most(2, run, inputs)


def test_preparation_is_not_timed(speed_of):
    """What `prepare` makes goes into every run"""
    source = FAST + (
        "import time\nclass Slow:\n    def __init__(self):\n        end = time.process_time() + 0.2\n"
        "        while time.process_time() < end: pass\n    def step(self, x): return np.exp(x)\n"
    )
    quick = FAST + "class Slow:\n    def step(self, x): return np.exp(x)\n"
    speed, sides = speed_of(source)
    object.__setattr__(sides[0].files, "available", (*sides[0].files.available, "time"))
    object.__setattr__(sides[1].files, "sources", {"sub.py": quick.encode()})

    ratio = speed.at_most(10, lambda module, made, x: made.step(x), inputs, prepare=lambda module: module.Slow())

    assert ratio <= 10


def test_the_references_worker_keeps_nothing(speed_of):
    """It serves a whole class: what was prepared for one submission is gone when the next is measured"""
    source = FAST + "class Step:\n    def take(self, x): return np.exp(x)\n"
    speed, sides = speed_of(source)
    object.__setattr__(sides[1].files, "sources", {"sub.py": source.encode()})
    made = []

    def prepare(module):
        made.append(module.Step())
        return made[-1]

    for _ in range(3):
        sides[0].begin_test(1)
        speed.at_most(100, lambda module, step, x: step.take(x), inputs, prepare=prepare)

    assert [step._number for step in made] == [1] * 6


def test_timed_calls_are_not_watched(speed_of):
    """No record and no transcript: watching would be timed too"""
    speed, sides = speed_of(FAST)
    sides[0].begin_test(1)
    speed.at_most(100, run, inputs)

    assert sides[0].transcript == []


def test_fresh_inputs_are_drawn_for_every_round(speed_of):
    """A result kept from the round before does not help; both sides get the same"""
    speed, _ = speed_of(
        "import numpy as np\nkept = {}\ndef f(x): return kept.setdefault(x.tobytes(), None) or np.exp(x)\n"
    )
    drawn = []

    def fresh():
        drawn.append(np.random.default_rng(len(drawn)).random(1000))
        return (drawn[-1],)

    speed.at_most(100, run, fresh)

    assert len(drawn) >= 2
    assert len({array.tobytes() for array in drawn}) == len(drawn)


def test_an_error_of_the_students_is_the_students(speed_of):
    """What the code raises comes out; a worker that dies too"""
    speed, _ = speed_of("def f(x): raise ValueError('no')\n")
    with pytest.raises(ValueError, match="no"):
        speed.at_most(2, run, inputs)
    speed, _ = speed_of("def f(x): return f(x)\ndef g(): pass\n")
    with pytest.raises(RecursionError):
        speed.at_most(2, run, inputs)
    speed, _ = speed_of("def f(x): return object()\n")
    with pytest.raises(AssertionError, match="answer that was timed"):
        speed.at_most(1e9, run, inputs)


def test_speed_in_this_process_is_our_fault(student_in):
    """There is nothing to compare without workers"""
    student = student_in("local", FAST)

    with pytest.raises(OurFault, match="Speed is measured between workers"):
        Speed(lambda: (student, student)).at_most(2, run, inputs)


def test_a_reference_that_fails_is_our_fault(student_in):
    """And no student's error"""
    reference = student_in("graded", "def f(x): raise SystemExit\n", ours=True)
    student = student_in("graded", FAST)

    with pytest.raises(OurFault, match="The reference's f raised SystemExit"):
        Speed(lambda: (student, reference)).at_most(2, run, inputs)
