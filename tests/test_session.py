"""One pytest session leads many subjects through the same items, and nothing of one reaches the next."""

import gc
import os
import signal
import sys

import pytest

from nnkit.grader import session
from nnkit.grader.errors import CourseError, OurFault
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import Student
from nnkit.grader.subject import Subject
from nnkit.grader.transport import Files, LocalTransport

VISIBLE = """\
def test_doubles(student):
    '''twice(2) is 4'''
    assert student.twice(2) == 4

def test_zero(student):
    assert student.twice(0) == 0
"""
HIDDEN = """\
import pytest

@pytest.fixture
def drawn(rng):
    return float(rng.random())

def test_numbers(student, drawn):
    assert student.twice(drawn) == 2 * drawn

def test_texts(student):
    assert student.twice("ab") == "abab"
"""
RIGHT = "def twice(x):\n    return 2 * x\n"
ALL = ["test_doubles", "test_zero", "test_numbers", "test_texts"]


@pytest.fixture
def suites(tmp_path):
    """A visible and a hidden suite in folders of their own, as in a course."""
    visible, hidden = tmp_path / "exercises" / "test_double.py", tmp_path / "solutions" / "test_hidden.py"
    for path, text in ((visible, VISIBLE), (hidden, HIDDEN)):
        path.parent.mkdir()
        path.write_text(text)
    return [visible, hidden]


def subject_of(source=RIGHT):
    files = Files({"double.py": source.encode()}, "double", "09", ("numpy", "sys"))
    return Subject("double", Student(LocalTransport(), files), Seeds(b"secret of a test"))


class Notes:
    """A visit that takes down what happens to it."""

    def __init__(self, source=RIGHT, *, only=lambda test: True, stop_at=None):
        self.events = []
        self.outcomes = {}

        def heard(outcome):
            self.events.append(("heard", outcome.name))
            self.outcomes[outcome.name] = outcome
            return outcome.name != stop_at

        self.visit = session.Visit(
            subject_of(source),
            wants=only,
            heard=heard,
            begins=lambda test: self.events.append(("begins", test.name)),
            done=lambda leaderboard: self.events.append(("done", leaderboard)),
        )

    @property
    def passed(self):
        return [name for name, outcome in self.outcomes.items() if outcome.status == "passed"]


def lead(suites, *notes, **options):
    session.run(suites, [each.visit for each in notes], points=10.0, **options)


def test_every_subject_goes_through_every_test(suites):
    """begins and heard for each test in the order of the suites, then done, subject after subject"""
    ada, grace = Notes(), Notes("def twice(x):\n    return x + x + 0\n")

    lead(suites, ada, grace)

    steps = [(event, name) for name in ALL for event in ("begins", "heard")]
    assert ada.events == [*steps, ("done", [])]
    assert (ada.passed, grace.passed) == (ALL, ["test_doubles", "test_zero", "test_numbers"])


def test_the_plan_comes_before_the_first_visit(suites):
    """planned is called once, with every test and all its points, before the first subject is asked for"""
    order = []

    def visits():
        order.append("visit")
        yield Notes().visit

    session.run(suites, visits(), points=10.0, planned=lambda tests: order.append([test.max_score for test in tests]))

    assert order == [[1.0, 1.0, 4.0, 4.0], "visit"]


def test_what_a_suite_prints_when_it_is_read_nobody_hears(suites, capfd):
    """Neither on standard output, where results may be read, nor beside it"""
    suites[0].write_text(f"import sys\n\nprint('loud')\nprint('loud', file=sys.stderr)\n{suites[0].read_text()}")

    lead(suites, Notes())

    assert capfd.readouterr() == ("", "")


def test_ctrl_c_while_suites_are_read_is_raised(suites):
    """As everywhere else, not as an exit code of pytest's"""
    suites[0].write_text(f"raise KeyboardInterrupt\n{suites[0].read_text()}")

    with pytest.raises(KeyboardInterrupt):
        lead(suites, Notes())


def test_visits_are_taken_one_at_a_time(suites):
    """A generator makes the next subject only when the one before is done"""
    order = []

    def visits():
        for who in ("ada", "grace"):
            order.append(f"{who} begins")
            notes = Notes()
            notes.visit.done = lambda _, who=who: order.append(f"{who} is done")
            yield notes.visit

    session.run(suites, visits(), points=10.0)

    assert order == ["ada begins", "ada is done", "grace begins", "grace is done"]


@pytest.mark.parametrize(
    "source", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit", "BaseException('x')", "StopIteration"]
)
@pytest.mark.parametrize("where", ["import", "call"])
def test_what_is_no_exception_does_not_poison_the_next(suites, source, where):
    """SystemExit and its like in one student's code are failures of that student's tests, of nobody else's"""
    hostile = {"import": f"raise {source}\n", "call": f"def twice(x):\n    raise {source}\n"}[where]
    ada, grace, alan = Notes(), Notes(hostile), Notes()

    lead(suites, ada, grace, alan)

    assert ada.passed == alan.passed == ALL
    assert [outcome.status for outcome in grace.outcomes.values()] == ["failed"] * 4


@pytest.mark.parametrize("stop_at", ALL)
@pytest.mark.parametrize("suite", ["visible", "hidden", "both"])
def test_a_subject_that_is_broken_off_does_not_poison_the_next(suites, stop_at, suite):
    """Wherever one visit stops, the next begins afresh, with whichever suite"""
    only = {"visible": ALL[:2], "hidden": ALL[2:], "both": ALL}[suite]
    ada, grace = Notes(stop_at=stop_at), Notes(only=lambda test: test.name in only)

    lead(suites, ada, grace)

    assert list(ada.outcomes) == ALL[: ALL.index(stop_at) + 1]
    assert ada.events[-1] == ("done", [])
    assert (grace.passed, list(grace.outcomes)) == (only, only)


def test_visits_that_want_different_suites(suites):
    """Hidden tests alone after visible tests alone, and back; a visit that wants nothing is done at once"""
    visible, hidden = (lambda test: test.suite == "visible"), (lambda test: test.suite == "hidden")
    notes = [Notes(only=only) for only in (visible, hidden, visible, lambda test: False, hidden)]

    lead(suites, *notes)

    assert [each.passed for each in notes] == [ALL[:2], ALL[2:], ALL[:2], [], ALL[2:]]
    assert notes[3].events == [("done", [])]


def test_state_of_one_student_s_module_is_not_another_s(suites):
    """Names, sys.modules and global random states start afresh with every subject"""
    ada = Notes(
        "import numpy as np\nseen = []\n" + RIGHT.replace("return", "seen.append(x); np.random.seed(0); return")
    )
    grace = Notes("def twice(x):\n    return 2 * x if 'seen' not in globals() else seen\n")

    lead(suites, ada, grace)

    assert (ada.passed, grace.passed) == (ALL, ALL)


def test_fixtures_are_made_anew_for_every_subject(tmp_path):
    """A test that spoils what a fixture gave it spoils nothing for the next subject; every subject has the same inputs"""
    path = tmp_path / "test_hidden.py"
    path.write_text(
        "import pytest\nseen = []\n\n@pytest.fixture\ndef numbers(rng):\n    return [rng.random()]\n\n"
        "@pytest.fixture(scope='module')\ndef shared():\n    return []\n\n"
        "def test_a(student, numbers, shared):\n    seen.append(numbers[0])\n    numbers.clear()\n"
        "    assert seen == seen[:1] * len(seen)\n    assert shared == []\n    shared.append(1)\n"
    )
    notes = [Notes(), Notes(), Notes()]

    lead([path], *notes)

    assert [each.passed for each in notes] == [["test_a"]] * 3


class Stop(BaseException):
    """Nothing that pytest knows."""


@pytest.mark.parametrize("error", [OurFault("gone"), KeyboardInterrupt(), Stop(), SystemExit(4), ValueError("ours")])
@pytest.mark.parametrize("where", ["visits", "wants", "begins", "heard", "planned"])
def test_what_a_visit_raises_comes_out_as_it_is(suites, error, where, capsys):
    """The session ends, the visit's `done` has been called, and pytest prints nothing"""

    def broken(*_):
        raise error

    notes = Notes()
    if where not in {"visits", "planned"}:
        setattr(notes.visit, where, broken)
    visits = (broken() for _ in range(1)) if where == "visits" else [notes.visit]
    with pytest.raises(type(error)) as raised:
        session.run(suites, visits, points=10.0, **({"planned": broken} if where == "planned" else {}))

    assert raised.value is error
    assert capsys.readouterr() == ("", "")
    if where in {"begins", "heard"}:
        assert notes.events[-1] == ("done", [])


def test_what_breaks_pytest_itself_comes_out_as_it_is(suites, monkeypatch, capfd):
    """It is raised, and not only printed where nobody may be listening"""

    def broken(*_arguments):
        raise KeyError("planned")

    monkeypatch.setattr(session.plugin, "planned", broken)

    with pytest.raises(KeyError, match="planned"):
        session.run(suites, [], points=10.0)
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_while_the_student_s_code_runs(suites):
    """A person's Ctrl-C ends the session, whatever the student's code would do with it"""
    source = "def twice(x):\n    try:\n        pressed()\n    except BaseException:\n        return 2 * x\n    return 2 * x\n"
    ada, grace = Notes(source), Notes()
    before = signal.getsignal(signal.SIGINT)
    begins = ada.visit.begins

    def press(test):
        begins(test)
        module = sys.modules.get("double")
        if test.name == "test_zero" and module is not None:
            module.pressed = lambda: os.kill(os.getpid(), signal.SIGINT)

    ada.visit.begins = press
    with pytest.raises(KeyboardInterrupt):
        lead(suites, ada, grace)

    assert (ada.passed, grace.events) == (["test_doubles"], [])
    assert signal.getsignal(signal.SIGINT) is before


def test_an_exit_of_pytest_s_own_ends_the_session_quietly(suites):
    """Leaving the debugger is no failure of ours; what was not heard is for the caller to notice"""
    notes = Notes()
    notes.visit.begins = lambda test: pytest.exit("left") if test.name == "test_zero" else None

    lead(suites, notes)

    assert (notes.passed, notes.events[-1]) == (["test_doubles"], ("done", []))


def test_nothing_grows_with_the_number_of_subjects(suites):
    """Objects after 60 subjects are as many as after 30, within what garbage collection leaves"""
    counts = []

    def visits():
        for number in range(61):
            if number in {30, 60}:
                gc.collect()
                counts.append(len(gc.get_objects()))
            notes = Notes([RIGHT, "def twice(x):\n    raise ValueError(x)\n", "1 / 0\n"][number % 3])
            yield session.Visit(notes.visit.subject)

    session.run(suites, visits(), points=10.0)

    assert len(counts) == 2
    assert counts[1] - counts[0] < 40


def test_sessions_may_follow_each_other(suites):
    """A suite that changed between two sessions of one process is read anew; no module of it stays"""
    first, second = Notes(), Notes()
    lead(suites, first)
    suites[0].write_text("def test_other(student):\n    assert student.twice(1) == 2\n")

    lead(suites, second)

    assert second.passed == ["test_other", *ALL[2:]]
    assert not [name for name, module in sys.modules.items() if getattr(module, "__file__", "") in map(str, suites)]


def test_a_suite_that_is_not_there(suites):
    """One sentence names it"""
    with pytest.raises(CourseError, match=r"solutions/test_gone.py is not there"):
        lead([suites[0], suites[1].with_name("test_gone.py")], Notes())


def test_what_people_set_up_around_does_not_reach_us(suites, monkeypatch):
    """A conftest.py and a pytest.ini beside the suite, and the folder one stands in, are not read"""
    for folder in (suites[0].parent, suites[0].parent.parent):
        (folder / "conftest.py").write_text("raise SystemExit(3)\n")
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.chdir(suites[0].parent)
    notes = Notes()

    lead(suites, notes)

    assert notes.passed == ALL
