"""The reference is not asked twice what it has answered already."""

import numpy as np
import pytest

from nnkit.grader.remembering import LARGE, Remembering
from nnkit.grader.student import Student
from nnkit.grader.transport import Files, LocalTransport

SOURCE = b"""
import numpy as np

def double(x): return 2 * x
def apply(f, x): return f(x)
def noise(): return np.random.random(3)

class Counter:
    def __init__(self): self.count, self.path = 0, np.zeros(200)
    def step(self, by):
        self.count += by
        self.path[:] = self.count
        return self.path
"""


class Counted(LocalTransport):
    """Counts the questions that are asked in earnest."""

    asked = 0

    def ask(self, question, call_back):
        self.asked += 1
        return super().ask(question, call_back)


@pytest.fixture
def inner():
    """Where the code runs."""
    return Counted()


def remembering(inner, **options):
    """The reference in that place."""
    files = Files({"m.py": SOURCE}, "m", "1", ("numpy",))
    return Student(Remembering(inner, **options), files, observe=False, ours=True)


def asked_by(inner, test):
    """How many questions a test asks in earnest."""
    before = inner.asked
    test()
    return inner.asked - before


def test_the_same_test_is_asked_once(inner):
    """A second visit gets equal answers, from memory; a test with other seeds does not"""
    student = remembering(inner)
    found = []

    def visit(seed):
        student.begin_test(seed)
        found.append([student.double(np.arange(3.0)), student.noise(), student.noise()])

    counts = [asked_by(inner, lambda seed=seed: visit(seed)) for seed in (1, 1, 2, 1)]

    assert counts == [4, 0, 3, 0]  # the first also loads
    for again in (found[1], found[3]):
        assert all(np.array_equal(a, b) for a, b in zip(found[0], again, strict=True))
    assert not np.array_equal(found[0][1], found[2][1])


def test_what_a_test_does_to_an_answer_stays_with_it(inner):
    """The next visit gets what the reference said"""
    student = remembering(inner)
    for _ in range(3):
        student.begin_test(1)
        answer = student.double(np.arange(3.0))
        assert answer.tolist() == [0.0, 2.0, 4.0]
        answer[:] = 7


def test_objects_are_made_again_when_a_visit_goes_another_way(inner):
    """A path that is known up to a point: what was answered from memory happens after all, and once"""
    student = remembering(inner)

    def visit(*steps):
        student.begin_test(1)
        counter = student.Counter()
        return [counter.step(by)[0] for by in steps]

    assert visit(1, 2, 3) == [1, 3, 6]
    assert asked_by(inner, lambda: visit(1, 2, 3)) == 0
    assert visit(1, 2, 10) == [1, 3, 13]
    assert visit(5, 1) == [5, 6]
    assert asked_by(inner, lambda: visit(1, 2, 10)) == 0


def test_an_answer_is_kept_as_it_was_given(inner):
    """An array that the object changes later is not the kept one"""
    student = remembering(inner)
    for _ in range(2):
        student.begin_test(1)
        counter = student.Counter()
        first = counter.step(1).copy()
        counter.step(1)
        assert first[0] == 1


def test_functions_of_the_test_are_called_every_time(inner):
    """They may count, so nothing that calls them is answered from memory"""
    student, seen = remembering(inner), []
    for _ in range(3):
        student.begin_test(1)
        student.double(1.0)
        assert student.apply(lambda x: seen.append(x) or x + 1, 4.0) == 5.0
        assert student.double(2.0) == 4.0

    assert seen == [4.0] * 3


def test_large_questions_are_asked(inner):
    """Reading them for the memory would cost more than it spares; the rest of that test is asked as well"""
    student = remembering(inner)

    def visit():
        student.begin_test(1)
        student.double(1.0)
        student.double(np.zeros(LARGE))
        student.double(1.0)

    visit()

    assert asked_by(inner, visit) == 3


def test_memory_has_a_limit(inner):
    """What was used longest ago is asked again"""
    student = remembering(inner, room=20_000)

    def visit(seed):
        student.begin_test(seed)
        student.double(np.zeros(1000))

    for seed in (1, 2, 1, 3):
        visit(seed)

    assert asked_by(inner, lambda: visit(1)) == 0
    assert asked_by(inner, lambda: visit(2)) == 1


def test_code_that_is_loaded_again_is_asked_until_the_next_test(inner):
    """Its objects are gone, so memory would tell of what is not there"""
    student = remembering(inner)
    for _ in range(2):
        student.begin_test(1)
        student.double(1.0)
        student.transport.load(student.files, 0)
        before = inner.asked
        student.double(1.0)
        assert inner.asked == before + 1
