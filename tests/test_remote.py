"""A student's code in workers: a new one takes the place of one that is gone, within one budget."""

import contextlib
import os
import signal

import numpy as np
import pytest

from nnkit.grader.processes import Patience
from nnkit.grader.remote import Budget
from nnkit.grader.student import CannotLoad, StudentError

PATIENT = Patience(20.0, 200.0)
LOOPS = "def f():\n    while True: pass\ndef g(x): return x + 1\n"


def again(call, times):
    """Call until it fails, at most so often."""
    for _ in range(times):
        with contextlib.suppress(StudentError):
            call()
            continue
        return


def test_a_new_worker_takes_the_place_of_one_that_is_gone(student_in):
    """The question that ended it fails with the reason; the next one is answered; the end is on record"""
    student = student_in("graded", LOOPS, budget=Budget(60, 600, Patience(0.2, 200), Patience(0.1, 200)))
    first = student.g(1)

    with pytest.raises(StudentError, match=r"^f did not come back\. No answer after 0\.2 s of processor time\.$"):
        student.f()

    assert (first, student.g(2)) == (2, 3)
    assert student.transport.ends == [("timeout", "No answer after 0.2 s of processor time.")]
    assert "limits" in student.transport.layers


def test_after_a_first_timeout_patience_is_shorter(student_in):
    """What loops once mostly loops again: the class does not wait as long a second time"""
    student = student_in("graded", LOOPS, budget=Budget(60, 600, Patience(0.3, 200), Patience(0.1, 200)))
    for seconds in ("0.3", "0.1", "0.1"):
        with pytest.raises(StudentError, match=f"No answer after {seconds} s"):
            student.f()


def test_processor_time_is_one_budget_for_all_workers(student_in):
    """When it is used up nothing runs any more, and the reason is the budget"""
    student = student_in("graded", LOOPS, budget=Budget(0.5, 600, Patience(0.2, 200), Patience(0.2, 200)))
    for _ in range(2):
        with pytest.raises(StudentError, match="No answer after"):
            student.f()
    again(student.f, 4)
    with pytest.raises(CannotLoad, match=r"The submission's 0\.5 s of processor time for this section are used up\."):
        student.g(1)

    assert {state for state, _ in student.transport.ends} == {"timeout"}


def test_time_on_the_wall_is_one_budget_too(student_in, submitted):
    """Sleeping costs nothing but time, and that is limited in all"""
    files = submitted("import time\ndef f(): time.sleep(0.2)\n", available=("time",))
    student = student_in("graded", files, budget=Budget(60, 0.7, PATIENT, PATIENT))

    again(student.f, 10)
    with pytest.raises(CannotLoad, match=r"The submission's 0\.7 s for this section are used up\."):
        student.f()


@pytest.mark.parametrize(
    ("source", "budget", "state", "says"),
    [
        ("while True: pass", Budget(60, 600, Patience(0.2, 200), PATIENT), "timeout", "No answer after 0.2 s"),
        ("import os\nos._exit(0)", Budget(60, 600, PATIENT, PATIENT), "crashed", "with exit code 0"),
        ("import os\nos.write(3, b'x' * 100)", Budget(60, 600, PATIENT, PATIENT), "protocol_error", "another question"),
    ],
    ids=["loops", "exits", "writes"],
)
def test_a_file_whose_import_does_not_end_well_is_loaded_once(student_in, submitted, source, budget, state, says):
    """Every test gets the same reason; no further worker is spent on it"""
    student = student_in("graded", submitted(source, available=("os",)), budget=budget)
    for _ in range(3):
        with pytest.raises(CannotLoad, match=says):
            student.f()

    assert [end[0] for end in student.transport.ends] == [state]
    assert student.cannot_load is not None


def test_memory_that_runs_out_is_on_record(student_in):
    """MemoryError is the student's error, and the state of the submission"""
    student = student_in("graded", "import numpy as np\ndef f(): return np.ones(1 << 40)\ndef g(): return 1\n")

    with pytest.raises(MemoryError):
        student.f()

    assert student.transport.ends[0][0] == "out_of_memory"
    assert student.transport.ends[0][1].startswith("f ran out of memory: Unable to allocate")
    assert student.g() == 1


def test_a_worker_that_is_killed_between_two_questions_is_replaced(student_in):
    """The next question tells, the one after that is answered by a new worker"""
    student = student_in("graded", LOOPS)
    assert student.g(1) == 2
    os.kill(student.transport._process.pid, signal.SIGKILL)

    with pytest.raises(StudentError, match=r"g did not come back\. The system killed it"):
        student.g(1)
    assert student.g(1) == 2


def test_an_object_is_gone_with_the_process_it_was_made_in(student_in, submitted):
    """A handle of an ended worker is not mistaken for an object of the new one"""
    source = "import ctypes\nclass A:\n    def f(self): return 1\n    def die(self): ctypes.string_at(0)\n"
    student = student_in("graded", submitted(source, available=("ctypes",)))
    old = student.A()
    with pytest.raises(StudentError):
        old.die()
    new = student.A()

    assert new.f() == 1
    with pytest.raises(StudentError, match="The object of class A is gone with the process it was made in"):
        old.f()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_question_that_is_broken_off_ends_its_worker(student_in, stop):
    """Otherwise its late answer would be taken for the answer to the next question"""
    student = student_in("graded", "def f(g): return g()\n")
    student.f(lambda: 1)
    before = student.transport._process.pid

    def interrupt(signal_number, frame):
        raise stop

    old = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(stop):
            student.f(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, old)

    assert student.f(lambda: 2) == 2
    assert stop is SystemExit or student.transport._process.pid != before
    assert student.transport.ends == []


def test_what_was_printed_is_kept(student_in):
    """Of all workers together, and no more than 64 KiB"""
    student = student_in("graded", "print('first')\ndef f(): print('x' * 100_000); 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        student.f()
    student.close()

    assert student.transport.printed.startswith("first\nxxx")
    assert len(student.transport.printed) == 64 << 10


def test_the_clock_stands_when_there_is_no_worker(student_in):
    """Before the first question and after the last one"""
    student = student_in("graded", "import numpy as np\ndef f(x): return x\n")
    assert student.transport.cpu() == 0.0
    student.f(np.ones(3))
    assert student.transport.cpu() > 0.0
    student.close()

    assert student.transport.cpu() == 0.0
    assert not student.transport.loaded()
