"""Submissions are asked ahead what the next tests will ask, and nothing but time tells the difference."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from nnkit.grader import foreseeing
from nnkit.grader.foreseeing import ForeseeingTransport, Foreseen
from nnkit.grader.processes import Patience, Process
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import Student, StudentError

SOURCE = """
import time
import numpy as np

log = []

def double(x):
    log.append(("double", x))
    return 2 * x

def drawn():
    log.append("drawn")
    return np.random.random()

def apply(f, x):
    log.append("apply")
    return f(x)

def told():
    return log

class Counter:
    def __init__(self):
        log.append("Counter")
        self.count = 0

    def up(self):
        log.append("up")
        self.count += 1
        return self.count
"""
SPIN = "    end = time.process_time() + {}\n    while time.process_time() < end: pass\n"
BUDGET = Budget(60, 600, Patience(20, 200), Patience(20, 200))
CEILINGS = Ceilings(4 << 30, 100)


@pytest.fixture
def crossings(monkeypatch):
    """How many questions went together, for every crossing."""
    found, ask_all = [], Process.ask_all

    def counted(process, questions, patience, call_back):
        found.append(len(questions))
        return ask_all(process, questions, patience, call_back)

    monkeypatch.setattr(Process, "ask_all", counted)
    return found


@pytest.fixture
def visit(client, submitted, crossings):
    """Leads a file through tests, each a function of the student's module, as the next submission of a class.

    Returns what each test gave or what it raised, the crossings after the one that loads, and the transport.
    """
    foreseen = Foreseen()
    opened = []

    def lead(tests, source=SOURCE, *, ahead=True, budget=BUDGET):
        place = (
            ForeseeingTransport(foreseen, client, CEILINGS, budget)
            if ahead
            else RemoteTransport(client, CEILINGS, budget)
        )
        opened.append(place)
        student, before, values = (
            Student(place, submitted(source, available=("numpy", "os", "time"))),
            len(crossings),
            [],
        )
        for seed, test in enumerate(tests):
            student.begin_test(seed)
            try:
                values.append(test(student))
            except StudentError as error:
                values.append(str(error))
        return SimpleNamespace(values=values, crossings=crossings[before + 1 :], transport=place, foreseen=foreseen)

    yield lead
    for place in opened:
        place.close()


def counts(student):
    """A test that asks more than once, about an object that it has made."""
    counter = student.Counter()
    return [counter.up(), counter.up()]


def together(student):
    """A test with one crossing of two questions."""
    return [value.tolist() for value in student.together(partial(student.double, np.full(2, x)) for x in (1.0, 2.0))]


TESTS = [
    lambda student: student.double(1),
    together,
    lambda student: student.drawn(),
    counts,
    lambda student: student.drawn(),
    lambda student: student.apply(lambda x: x + 1, 3),
    lambda student: student.double(5),
    lambda student: str(student.told()),
]


def test_a_class_gets_the_same_answers_in_the_same_order_with_fewer_crossings(visit):
    """Values, random numbers and the worker's own account of what it was asked are those of a submission on its own"""
    alone = visit(TESTS, ahead=False)
    first, second, third = (visit(TESTS) for _ in range(3))

    assert first.values == second.values == third.values == alone.values
    assert alone.crossings == first.crossings == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    # Up to the test that asks more, with its first question; what that asks then; up to the function of the test's.
    assert second.crossings == third.crossings == [5, 1, 1, 1, 1, 2]


def test_what_is_known_is_what_was_asked_before(visit):
    """Another question than the foreseen one is asked; so are those of a test that asked nothing before"""
    visit(TESTS[:3])
    other = visit([TESTS[0], lambda student: student.double(7), TESTS[2], lambda student: student.double(8)])

    assert other.values[1] == 14
    assert other.values[3] == 16
    assert other.values[2] == visit(TESTS[:3], ahead=False).values[2]
    assert other.crossings == [4, 1, 1]


def test_a_test_goes_on_where_it_stands(visit):
    """After a question that was not foreseen the worker has forgotten the objects of the tests that were asked ahead"""
    for _ in range(2):
        visit([*TESTS[:3], counts])
    other = [*TESTS[:2], lambda student: student.double(7), counts]

    assert visit(other).values == visit(other, ahead=False).values


def test_a_test_that_does_not_ask_leaves_its_answer(visit):
    """A submission without a function is asked ahead for it; the tests after it get their own answers"""
    alone = visit(TESTS[:3])
    skips = visit([TESTS[0], lambda _student: "nothing", TESTS[2]])

    assert skips.values == [alone.values[0], "nothing", alone.values[2]]


def test_a_test_that_asks_more_than_was_foreseen_is_begun_again(visit):
    """The objects it made first are there, random numbers follow each other"""

    def once(student):
        return student.Counter() is not None

    def on(student):
        return [student.drawn(), student.drawn()]

    visit([once, TESTS[2], TESTS[0]])
    alone = visit([counts, on, TESTS[0]], ahead=False)
    more = visit([counts, on, TESTS[0]])

    assert more.values == alone.values
    # All three; the first once more, and what it asks then; the second once more, and what it asks then.
    assert more.crossings == [3, 1, 1, 1, 1, 1]
    assert visit([counts, on, TESTS[0]]).crossings == [1, 1, 1, 1, 1, 1]


def test_only_what_a_test_asks_first_is_asked_ahead(visit):
    """What it asks then may hold the answer to what it asked first: nobody is to see that before they answer"""

    def there_and_back(student):
        return student.double(student.double(5))

    for _ in range(3):
        found = visit([TESTS[0], there_and_back, TESTS[2], TESTS[6]])

    # Up to the first answer of the test; what follows from it; the rest.
    assert found.crossings == [2, 1, 2]
    assert visit([there_and_back], SOURCE.replace("2 * x", "3 * x")).values == [45]


def test_functions_of_a_test_are_called_when_it_asks(visit):
    """Never ahead of it: it may count its calls, and its function may not be there yet"""
    calls = []
    tests = [TESTS[0], lambda student: student.apply(lambda x: calls.append(x) or x, 3), TESTS[6]]
    for done in (1, 2, 3):
        assert visit(tests).values == [2, 3, 10]
        assert calls == [3] * done


def test_what_is_timed_runs_while_it_is_timed(visit):
    """Somebody who looks at the worker's clock before and after sees the question between"""

    def timed(student):
        before = student.transport.cpu()
        student.double(1)
        return student.transport.cpu() - before

    slow = SOURCE.replace("    return 2 * x", f"{SPIN.format(0.02)}    return 2 * x")
    visit([TESTS[2], TESTS[0], TESTS[2]], slow)
    for _ in range(2):
        assert visit([TESTS[2], timed, TESTS[2]], slow).values[1] >= 0.02


@pytest.mark.parametrize(
    ("body", "says", "state"),
    [
        ("import os\n    os._exit(3)", "It ended its own process with exit code 3.", "crashed"),
        ("while True: pass", "No answer after 0.7 s of processor time.", "timeout"),
        ("import os\n    os.write(3, b'x' * 100)", "The answer belongs to another question.", "protocol_error"),
    ],
    ids=["exits", "loops", "writes"],
)
def test_what_ends_the_worker_is_told_by_the_test_that_asks_for_it(visit, body, says, state):
    """The other tests get their answers, and the submission's account is that of one that was not asked ahead"""
    budget = Budget(60, 600, Patience(0.7, 200), Patience(0.7, 200))
    bad = SOURCE.replace('    log.append("drawn")\n', f'    print("drawing")\n    {body}\n')
    tests = [*TESTS[:3], TESTS[6]]
    visit(tests)
    alone = visit(tests, bad, ahead=False, budget=budget)
    found = visit(tests, bad, budget=budget)
    for each in (alone, found):
        each.transport.close()

    assert found.values == alone.values
    assert found.values[2] == f"drawn did not come back. {says}"
    assert found.values[3] == 10
    assert found.transport.ends == alone.transport.ends == [(state, says)]
    assert found.transport.printed == alone.transport.printed == "drawing\n"
    if state == "timeout":
        assert found.transport._cpu_spent < 1.5 * alone.transport._cpu_spent


def test_haste_is_given_up_once_and_for_all(visit, crossings):
    """What ended a worker that was asked ahead is asked once more, by its test; nothing is asked ahead after that"""
    bad = SOURCE.replace('    log.append("drawn")\n', "    import os\n    os._exit(3)\n")
    tests = [TESTS[2], *TESTS[:2], TESTS[0], TESTS[6]]
    visit(tests)

    # All together; the file again; the test that ends the worker; the file again; the others one by one.
    assert visit(tests, bad).crossings == [6, 1, 1, 1, 1, 2, 1, 1]


def test_only_the_haste_is_not_on_the_account(visit):
    """What a worker used and printed before it was asked ahead stays"""
    bad = SOURCE.replace('    log.append("apply")\n', f"    print('applied')\n{SPIN.format(0.1)}").replace(
        '    log.append("drawn")\n', "    print('drawing')\n    import os\n    os._exit(3)\n"
    )
    tests = [TESTS[5], *TESTS[:3]]
    visit(tests)
    found = visit(tests, bad)
    found.transport.close()

    assert found.transport._cpu_spent >= 0.1
    assert found.transport.printed == "applied\ndrawing\n"


def test_nothing_takes_longer_because_it_is_asked_ahead(visit):
    """All questions together have the time of one, whatever they took when they were learned"""
    slow = SOURCE.replace("    return 2 * x", f"{SPIN.format(0.02)}    return 2 * x")
    tests = [lambda student, x=x: student.double(x) for x in range(6)]
    visit(tests, slow)
    budget = Budget(60, 600, Patience(0.08, 200), Patience(0.08, 200))
    found = visit(tests, slow, budget=budget)

    assert found.values == [0, 2, 4, 6, 8, 10]
    assert found.transport.ends == []
    assert found.crossings == [6, 1, 1, 1, 1, 1, 1, 1]


def test_a_file_that_can_be_imported_once_only(visit, tmp_path):
    """The test that asks fails with the reason; it is a flaw of the file, and nothing of ours"""
    marker = tmp_path / "imported"
    source = SOURCE + f"\nimport os\nif os.path.exists({str(marker)!r}): raise RuntimeError('again')\n"
    bad = source.replace('    log.append("drawn")\n', f"    open({str(marker)!r}, 'w').close()\n    os._exit(3)\n")
    visit(TESTS[:3])
    found = visit(TESTS[:3], bad)

    assert found.values[0] == "double did not come back. The file could be imported once, and not again."
    assert "could not be imported again: RuntimeError: again" in found.values[1]


def test_long_answers_do_not_wait_for_their_tests(visit, monkeypatch):
    """A submission that returns too much for memory of ours is asked by each test"""
    monkeypatch.setattr(foreseeing, "ANSWERS", 100_000)
    large = SOURCE.replace("return 2 * x", "return np.zeros(20_000)")
    tests = [lambda student: np.size(student.double(1)), TESTS[2]]
    visit(tests)
    found = visit(tests, large)

    assert found.values[0] == 20_000
    assert found.crossings == [2, 1, 1, 1]


def test_what_is_dear_or_large_is_not_asked_ahead(visit):
    """A crossing is nothing beside it, and it would have to be kept"""
    slow = SOURCE.replace("    return 2 * x", f"{SPIN.format(0.1)}    return 2 * x")
    large = [lambda student: float(student.double(np.ones(10_000)).sum()), TESTS[2]]
    dear = [TESTS[0], TESTS[2]]

    visit(large)
    assert visit(large).crossings == [1, 1]
    visit(dear, slow)
    assert visit(dear).crossings == [1, 1]


def test_questions_are_kept_as_long_as_there_is_room():
    """Whatever a suite asks, a session stays small"""
    foreseen = Foreseen(room=25)
    for place in range(5):
        foreseen.learn(place, [[b"0123456789"]], 0.0)

    assert list(foreseen.following(0)) == [0, 1]
    assert foreseen.following(2) == {}
