"""A grader and its workers stay on one core, which is nobody else's while there are enough of them."""

import contextlib
import os

import pytest

from nnkit.grader import cores
from nnkit.grader.cores import bring_along, claimed_core, on_one_core

HERE = sorted(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def own_claims(monkeypatch):
    """Others on this machine may be grading."""
    monkeypatch.setattr(cores, "CLAIM", f"nnkit-test-{os.getpid()}")


def test_one_core_and_back_again():
    """Inside there is one core, afterwards all that there were, also after an error"""
    with on_one_core():
        assert len(os.sched_getaffinity(0)) == 1
    with pytest.raises(ZeroDivisionError), on_one_core():
        raise ZeroDivisionError

    assert sorted(os.sched_getaffinity(0)) == HERE


def test_where_all_are_taken_nothing_is_pinned():
    """A further grader runs wherever the system puts it"""
    with contextlib.ExitStack() as held:
        claimed = [held.enter_context(claimed_core()) for _ in HERE]
        with on_one_core():
            assert sorted(os.sched_getaffinity(0)) == HERE
        with claimed_core() as further:
            assert further is None

    assert claimed == HERE
    with claimed_core() as again:
        assert again == HERE[0]


def test_workers_come_along(student_in):
    """The worker of a grader that stays on one core is on the same one; another process may be brought there too"""
    with on_one_core():
        student = student_in("graded", "def f(): return 1")
        student.begin_test(1)
        assert student.f() == 1
        assert os.sched_getaffinity(student.transport._process.pid) == os.sched_getaffinity(0)


def test_a_process_that_is_gone_is_not_minded():
    """A worker may end before it could be moved"""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

    bring_along(pid)


def test_where_the_system_forbids_it_grading_goes_on(monkeypatch):
    """Some containers let nobody choose a core"""

    def forbidden(_pid, _cores):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with on_one_core():
        bring_along(os.getpid())

    assert sorted(os.sched_getaffinity(0)) == HERE
