"""How subjects are made of a section's files, what they may use, and that everything is closed at the end."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from nnkit.grader import course, subjects
from nnkit.grader.remote import RemoteTransport
from nnkit.grader.seeds import Seeds
from nnkit.grader.transport import LocalTransport

RIGHT = b"import numpy as np\ndef double(x): return 2.0 * x\n"
SEEDS = Seeds(b"secret for tests")


@pytest.fixture
def section(small_course):
    return course.section("13")


def files(section, source=RIGHT):
    return subjects.submission(section, {"small.py": source})


def test_a_submission_knows_its_section(section):
    """The main file's name, the number, what may be imported; no folder, for it is graded"""
    made = files(section)

    assert (made.main, made.section, made.folder) == ("small", "13", "")
    assert {"numpy", "math", "dataclasses"} <= set(made.available)
    assert "torch" not in made.available


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
def test_the_budget_follows_what_the_reference_may_use(seconds):
    """A question has at least five seconds, the whole more than the reference needs, time on the wall is generous"""
    budget = subjects.budget_for(SimpleNamespace(cpu_seconds=seconds))

    assert budget.per_question.cpu >= max(seconds, 5.0)
    assert budget.cpu > 5 * seconds
    assert budget.wall >= 4 * budget.cpu
    assert budget.per_question.wall >= 4 * budget.per_question.cpu
    assert 0.1 * seconds <= budget.after_first_timeout.cpu <= budget.per_question.cpu


def test_torch_is_wanted_by_sections_that_name_it():
    """Only where a section's libraries say so"""
    assert subjects.wants_torch(SimpleNamespace(libraries=("numpy", "torch")))
    assert not subjects.wants_torch(SimpleNamespace(libraries=("numpy",)))


def test_here_without_a_client(section):
    """The student's code and the reference's run here; the catalogue and the seeds are the section's"""
    with subjects.makers(section, SEEDS, None) as made:
        subject = made.subject(files(section))
        subject.begin("hidden", "test_double")

        assert isinstance(subject.student.transport, LocalTransport)
        assert subject.student.double(3.0) == subject.reference.double(3.0) == 6.0
        assert [mistake.name for mistake in made.mistakes] == ["tripled", "one_sided", "forgetful"]
        assert subject.student.transcript
        assert subject.reference.transcript == []


def test_in_workers_with_a_client(section, client):
    """The student's code runs in a worker; a numpy section's reference is asked in this process"""
    with subjects.makers(section, SEEDS, client) as made:
        subject = made.subject(files(section))
        subject.begin("hidden", "test_double")

        assert isinstance(subject.student.transport, RemoteTransport)
        assert isinstance(subject.reference.transport.transport, LocalTransport)
        assert subject.student.double(np.ones(2)).tolist() == [2.0, 2.0]
        subject.student.close()


def test_every_test_has_seeds_of_its_own(section):
    """Random numbers inside the worker depend on the test's name, and are the same for everybody"""
    source = b"import numpy as np\ndef double(x): return np.random.rand()\n"
    drawn = {}
    with subjects.makers(section, SEEDS, None) as made:
        for who in ("ada", "grace"):
            subject = made.subject(files(section, source))
            for test in ("a", "b"):
                subject.begin("hidden", test)
                drawn[who, test] = subject.student.double(0)

    assert drawn["ada", "a"] == drawn["grace", "a"]
    assert drawn["ada", "a"] != drawn["ada", "b"]


def test_a_mistake_is_named(section):
    """The makers' diagnosis has the reference and the catalogue; without diagnosing nothing is said"""
    for diagnosing, says in ((True, "You tripled."), (False, "")):
        with subjects.makers(section, SEEDS, None, diagnosing=diagnosing) as made:
            subject = made.subject(files(section, b"def double(x): return 3.0 * x\n"))
            subject.begin("hidden", "test_double")
            subject.student.double(np.array([1.5, -2.0]))

            assert subject.diagnose("test_double", subject.student.transcript) == says


def test_the_next_worker_is_made_ahead(section, client):
    """Ordered while the present one is tested, and taken by the next subject"""
    with subjects.makers(section, SEEDS, client) as made:
        first, second = made.subject(files(section)), made.subject(files(section))
        first.student.double(1.0)
        made.order_next()
        ordered = client._ordered
        second.student.double(1.0)

        assert second.student.transport._process is ordered
        first.student.close()
        second.student.close()


def test_speed_is_measured_in_workers_even_here(section):
    """In local mode a zygote is started for it, and ended with the makers"""
    with subjects.makers(section, SEEDS, None) as made:
        subject = made.subject(files(section))
        subject.begin("hidden", "test_speed")

        assert subject.speed.at_most(100, lambda module, x: module.double(x), lambda: (np.ones(200_000),)) < 100
        pid = made._zygote.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_makers_close_what_they_made(section, client):
    """The reference's worker too, also when it was killed before"""
    with subjects.makers(section, SEEDS, client) as made:
        subject = made.subject(files(section))
        subject.speed.at_most(100, lambda module, x: module.double(x), lambda: (np.ones(200_000),))
        pid = made._reference_worker.transport._process.pid
        subject.student.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_torch_sections_reference_runs_in_a_worker(small_course, torch_zygote):
    """Torch stays out of the trusted process: reference and diagnosis are asked in workers of their own"""
    small_course.replace(
        small_course.exercises / "section.toml", 'libraries = ["numpy"]', 'libraries = ["numpy", "torch"]'
    )
    section, client = course.section("13"), torch_zygote.client()
    try:
        with subjects.makers(section, SEEDS, client) as made:
            subject = made.subject(files(section, b"import torch\ndef double(x): return 3.0 * x\n"))
            subject.begin("hidden", "test_double")

            assert isinstance(subject.reference.transport.transport, RemoteTransport)
            assert subject.student.double(3.0) == 9.0
            assert subject.reference.double(3.0) == 6.0
            assert subject.diagnose("test_double", subject.student.transcript) == "You tripled."
            subject.student.close()
    finally:
        client.close()
