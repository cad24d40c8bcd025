"""Points, places and words of a suite: what gradescope-utils' decorators say, whatever they stand on, and fail closed."""

import gc
import subprocess
import sys

import pytest

from nnkit.grader import session
from nnkit.grader.errors import CourseError, NothingMatches, OurFault
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import Student
from nnkit.grader.subject import Subject
from nnkit.grader.transport import Files, LocalTransport

pytest_plugins = ["pytester"]

HEAD = """\
import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import (
    hide_errors, leaderboard, number, partial_credit, tags, visibility, weight,
)
from nnkit.grader.compare import assert_close
"""
RELU = """\
import numpy as np

def relu(x):
    return np.maximum(x, 0)

def broken(x):
    raise ValueError("I refuse")

def later(x):
    raise NotImplementedError("section 13: write later")
"""


def subject_of(source=RELU, **options):
    files = Files({"relu.py": source.encode()}, "relu", "13", ("numpy",))
    return Subject("relu", Student(LocalTransport(), files), Seeds(b"secret of a test"), **options)


class Found:
    """What one subject's way through a session brought to light."""

    def __init__(self):
        self.plan = {}
        self.outcomes = {}
        self.leaderboard = []

    def __getitem__(self, name):
        return self.outcomes[name]


@pytest.fixture
def lead(tmp_path):
    """Lead subjects through a hidden suite of the test's own; return what was found out about the first."""

    def lead(suite, *subjects, name="test_hidden.py", points=10.0, **options):
        path = tmp_path / name
        path.write_text(HEAD + suite)
        founds = [Found() for _ in subjects or (None,)]

        def heard(found, outcome):
            found.outcomes[outcome.name] = outcome
            return True

        visits = [
            session.Visit(
                subject,
                heard=lambda outcome, found=found: heard(found, outcome),
                done=found.leaderboard.extend,
            )
            for subject, found in zip(subjects or (subject_of(),), founds, strict=True)
        ]
        plan = lambda tests: [found.plan.update({test.name: test for test in tests}) for found in founds]  # noqa: E731
        session.run([path], visits, points=points, planned=plan, **options)
        return founds[0]

    return lead


# What a test is worth


def test_hidden_tests_share_four_fifths_by_weight(lead):
    """Of 10 points a hidden suite has 8: weights 3 and 1 make 6 and 2"""
    found = lead("@weight(3)\ndef test_a(student): pass\n\ndef test_b(student): pass\n")

    assert {name: test.max_score for name, test in found.plan.items()} == {"test_a": 6.0, "test_b": 2.0}
    assert found["test_a"].score == 6.0


def test_visible_tests_share_a_fifth_equally(lead):
    """Of 10 points a visible suite has 2, whatever its tests say that they weigh"""
    found = lead("@weight(9)\ndef test_a(student): pass\n\ndef test_b(student): pass\n", name="test_relu.py")

    assert {name: test.max_score for name, test in found.plan.items()} == {"test_a": 1.0, "test_b": 1.0}
    assert found["test_a"].visibility == "visible"


def test_cases_share_the_weight_of_their_function(lead):
    """Four cases of a function of weight 1 have as much as one other function of weight 1"""
    found = lead(
        "@pytest.mark.parametrize('n', [1, 2, 3, 4])\ndef test_a(student, n): assert n != 2\n\n"
        "def test_b(student): pass\n"
    )

    assert [found[f"test_a[{n}]"].score for n in (1, 2, 3, 4)] == [1.0, 0.0, 1.0, 1.0]
    assert found["test_b"].score == 4.0


def test_a_keyword_takes_no_points_to_its_tests(lead):
    """A test run alone by -k is worth what it is worth among all"""
    found = lead("def test_a(student): pass\n\ndef test_b(student): pass\n", keyword="test_b")

    assert {name: test.max_score for name, test in found.plan.items()} == {"test_b": 4.0}


@pytest.mark.parametrize(
    "decorators",
    [
        ["weight(5)", "number('13.H1')", "visibility('hidden')", "tags('easy', 'numpy')", "hide_errors('no')"],
        ["hide_errors('no')", "tags('easy', 'numpy')", "visibility('hidden')", "number('13.H1')", "weight(5)"],
        ["tags('easy', 'numpy')", "weight(5)", "hide_errors('no')", "number('13.H1')", "visibility('hidden')"],
    ],
)
@pytest.mark.parametrize("marked", ["function", "cases", "class", "nested class", "method"])
def test_decorators_in_any_order_on_anything(lead, decorators, marked):
    """weight, number, visibility, tags and hide_errors hold on functions, cases, methods and classes, in any order"""
    above = "".join(f"@{each}\n" for each in decorators)
    deeper = above.replace("@", "    @")
    suite, name = {
        "function": (f"{above}def test_a(student): assert False\n", "test_a"),
        "cases": (f"@pytest.mark.parametrize('n', [1])\n{above}def test_a(student, n): assert False\n", "test_a[1]"),
        "class": (f"{above}class TestA:\n    def test_a(self, student): assert False\n", "TestA.test_a"),
        "nested class": (
            f"{above}class TestA:\n    class TestB:\n        def test_a(self, student): assert False\n",
            "TestA.TestB.test_a",
        ),
        "method": (f"class TestA:\n{deeper}    def test_a(self, student): assert False\n", "TestA.test_a"),
    }[marked]

    found = lead(suite + "def test_other(student): pass\n")

    outcome = found[name]
    assert (outcome.number, outcome.visibility, outcome.tags) == ("13.H1", "hidden", ("easy", "numpy"))
    assert (outcome.message, outcome.status) == ("no", "failed")
    assert outcome.max_score == pytest.approx(8 * 5 / 6)


def test_a_method_s_decorator_goes_before_its_class_s(lead):
    """The class says what holds for its methods that say nothing"""
    found = lead(
        "@weight(3)\n@number('1')\nclass TestA:\n"
        "    @number('2')\n    def test_a(self, student): pass\n    def test_b(self, student): pass\n"
    )

    assert [(test.number, test.max_score) for test in found.plan.values()] == [("2", 4.0), ("1", 4.0)]


def test_methods_of_two_classes_may_share_a_name(lead):
    """TestA.test_x and TestB.test_x are two tests with inputs of their own"""
    body = "    def test_x(self, student, rng): assert rng.random() > 2\n"

    found = lead(f"class TestA:\n{body}\nclass TestB:\n{body}")

    assert set(found.outcomes) == {"TestA.test_x", "TestB.test_x"}
    assert [test.max_score for test in found.plan.values()] == [4.0, 4.0]


@pytest.mark.parametrize(
    ("decorator", "sentence"),
    [
        ("weight(float('nan'))", "a weight is a number from 0 on, not nan"),
        ("weight(float('inf'))", "a weight is a number from 0 on, not inf"),
        ("weight(-1)", "a weight is a number from 0 on, not -1"),
        ("weight('much')", "a weight is a number from 0 on, not 'much'"),
        ("visibility('invisible')", "the visibility is one of visible, hidden, after_due_date, after_published"),
        ("leaderboard('time', 'up')", "the leaderboard sort order is one of asc, desc, not 'up'"),
        ("weight(0)", "weigh nothing"),
    ],
)
def test_a_decorator_that_says_what_cannot_be(lead, decorator, sentence):
    """Nothing runs; one sentence names the test and what was expected"""
    with pytest.raises(CourseError) as raised:
        lead(f"@{decorator}\ndef test_a(student, set_leaderboard_value=None): pass\n")

    assert sentence in str(raised.value)


# Partial credit and the leaderboard


@pytest.mark.parametrize(
    "order", [["partial_credit(4)", "leaderboard('speed')"], ["leaderboard('speed')", "partial_credit(4)"]]
)
def test_partial_credit_and_leaderboard_in_any_order(lead, order):
    """Both are heard, whichever decorator stands on the other; the points are those of partial_credit's weight"""
    above = "".join(f"@{each}\n" for each in order)

    found = lead(
        f"{above}def test_a(student, set_score=None, set_leaderboard_value=None):\n"
        "    set_score(1)\n    set_leaderboard_value(np.float32(2.5))\n"
    )

    assert (found["test_a"].score, found["test_a"].max_score, found["test_a"].status) == (2.0, 8.0, "failed")
    assert found["test_a"].message == "Partly right: 25% of the points."
    assert found.leaderboard == [("speed", 2.5, "desc")]


def test_set_score_and_set_leaderboard_value_are_fixtures_too(lead):
    """Without a decorator they are asked for like any fixture; the column is called as the test is"""
    found = lead(
        "@weight(2)\ndef test_a(student, set_score, set_leaderboard_value):\n"
        "    '''How far'''\n    set_score(1.5)\n    set_leaderboard_value(7)\n"
    )

    assert found["test_a"].score == 6.0
    assert found.leaderboard == [("How far", 7.0, "desc")]


def test_a_test_for_the_leaderboard_alone_is_worth_nothing(lead):
    """Where it has no weight of its own, it takes no points from the others"""
    found = lead(
        "@leaderboard('time', 'asc')\ndef test_a(student, set_leaderboard_value=None): set_leaderboard_value(3)\n\n"
        "def test_b(student): pass\n"
    )

    assert [test.max_score for test in found.plan.values()] == [0.0, 8.0]
    assert found.leaderboard == [("time", 3.0, "asc")]


@pytest.mark.parametrize("style", ["@partial_credit(2)\n", "@weight(2)\n"])
def test_no_case_inherits_the_score_of_the_one_before(lead, style):
    """Cases share one function; what the first reports is not the second's"""
    asked = "set_score=None" if "partial" in style else "set_score"
    found = lead(
        f"{style}@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_a(student, n, {asked}):\n"
        "    if n == 1: set_score(1)\n    assert n != 2\n"
    )

    assert [found[f"test_a[{n}]"].score / found[f"test_a[{n}]"].max_score for n in (1, 2, 3)] == [0.5, 0.0, 1.0]


def test_no_subject_inherits_a_score(lead):
    """What one submission's test reported is forgotten before the next is tested"""
    suite = (
        "@partial_credit(2)\ndef test_a(student, set_score=None):\n"
        "    if student.relu(1.0) == 1.0: set_score(2)\n    assert student.relu(1.0) == 1.0\n"
    )
    right, wrong = subject_of(), subject_of("def relu(x):\n    return 7.0\n")
    heard = []
    (session_found := lead)(suite, right, wrong)

    found = session_found(suite, wrong, right)

    assert (found["test_a"].score, heard) == (0.0, [])


def test_partial_credit_is_kept_when_the_test_fails_later(lead):
    """Half was right before the failure: half of the points, status failed, and the reason is told"""
    found = lead("@partial_credit(4)\ndef test_a(student, set_score=None):\n    set_score(2)\n    student.broken(1)\n")

    assert (found["test_a"].score, found["test_a"].status) == (4.0, "failed")
    assert "raised ValueError" in found["test_a"].message


@pytest.mark.parametrize("score", ["float('nan')", "float('inf')", "-1", "2.5", "'all'", "None, ", "10**400", "[]"])
def test_a_score_that_cannot_be_earns_nothing(lead, score):
    """Not finite, negative, above the weight or no number: zero, and the message says so"""
    found = lead(f"@weight(2)\ndef test_a(student, set_score): set_score(({score}))\n")

    assert (found["test_a"].score, found["test_a"].status) == (0.0, "failed")
    assert "must be a number from 0 to 2" in found["test_a"].message


def test_rounding_does_not_spoil_full_marks(lead):
    """0.1 + 0.2 of a weight of 0.3 is everything"""
    found = lead("@partial_credit(0.3)\ndef test_a(student, set_score=None): set_score(0.1 + 0.2)\n")

    assert (found["test_a"].score, found["test_a"].status, found["test_a"].message) == (8.0, "passed", "")


@pytest.mark.parametrize("value", ["float('nan')", "float('-inf')", "'*****'"])
def test_the_leaderboard_takes_finite_numbers_only(lead, value):
    """Anything else is left out, and told"""
    found = lead(
        f"@leaderboard('time')\n@weight(1)\ndef test_a(student, set_leaderboard_value=None): set_leaderboard_value({value})\n"
    )

    assert found.leaderboard == []
    assert "finite numbers" in found["test_a"].message


def test_a_failed_test_reports_nothing_to_the_leaderboard(lead):
    """Whoever is fast and wrong is not on the board"""
    found = lead(
        "@leaderboard('time')\n@weight(1)\ndef test_a(student, set_leaderboard_value=None):\n"
        "    set_leaderboard_value(1)\n    assert False\n"
    )

    assert found.leaderboard == []


# Fail closed


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("def test_a(student): pytest.skip('no time')\n", "It was skipped (no time); that earns nothing."),
        ("@pytest.mark.skip(reason='later')\ndef test_a(student): pass\n", "It was skipped (later)"),
        ("@pytest.mark.skipif(True, reason='off')\ndef test_a(student): pass\n", "It was skipped (off)"),
        ("@pytest.mark.xfail(reason='hard')\ndef test_a(student): assert False\n", "expected to fail (hard)"),
        ("@pytest.mark.xfail\ndef test_a(student): pass\n", "expected to fail"),
        ("@pytest.mark.xfail(strict=True)\ndef test_a(student): pass\n", "expected to fail"),
        ("@pytest.mark.xfail(run=False)\ndef test_a(student): pass\n", "expected to fail"),
    ],
)
def test_what_did_not_simply_pass_earns_nothing(lead, test, said):
    """Skipped, and failing or passing where failure is expected: failed, zero, and the message says why"""
    found = lead(test)

    assert (found["test_a"].status, found["test_a"].score) == ("failed", 0.0)
    assert said in found["test_a"].message


def test_a_setup_that_fails_is_ours_unless_the_student_s_code_failed_in_it(lead):
    """A fixture of the suite that breaks is `unknown`; one that the student's code breaks is `failed`"""
    found = lead(
        "@pytest.fixture\ndef ours(): return {}['no such key']\n\n"
        "@pytest.fixture\ndef theirs(student): return student.broken(1)\n\n"
        "@pytest.fixture\ndef unwritten(student): return student.later(1)\n\n"
        "@pytest.fixture\ndef wrong(student): assert student.relu(1) == 2\n\n"
        "def test_ours(student, ours): pass\ndef test_theirs(theirs): pass\n"
        "def test_unwritten(unwritten): pass\ndef test_wrong(wrong): pass\ndef test_nobody(no_such_fixture): pass\n"
    )

    assert {name: outcome.status for name, outcome in found.outcomes.items()} == {
        "test_ours": "unknown",
        "test_theirs": "failed",
        "test_unwritten": "failed",
        "test_wrong": "failed",
        "test_nobody": "unknown",
    }
    assert "not your fault and costs no points" in found["test_ours"].message
    assert found["test_unwritten"].message == "Not written yet: later in relu.py, line 10."


def test_a_teardown_of_ours_that_fails_is_unknown(lead):
    """The test passed, but what came after it did not: nobody's points, and not the student's fault"""
    found = lead(
        "@pytest.fixture\ndef ours():\n    yield\n    raise OSError('disk')\n\ndef test_a(student, ours): pass\n"
    )

    assert (found["test_a"].status, found["test_a"].score) == ("unknown", 0.0)


def test_pytest_timeout_s_failure_is_unknown(lead):
    """The outer belt holds this process up, so it is our fault when it breaks"""
    pytest.importorskip("pytest_timeout")
    found = lead("def test_a(student):\n    while True: pass\n\ndef test_b(student): pass\n", timeout=0.3)

    assert (found["test_a"].status, found["test_b"].status) == ("unknown", "passed"), found["test_a"].message
    assert found["test_a"].message.startswith("The grader failed")


def test_a_failure_that_only_sounds_like_a_timeout_is_the_student_s(lead):
    """Nobody talks their way into `unknown` with a class called Failed"""
    source = "class Failed(Exception): pass\n\ndef relu(x):\n    raise Failed('Timeout (>1.0s) from pytest-timeout.')\n"

    found = lead("def test_a(student): student.relu(1)\n", subject_of(source))

    assert found["test_a"].status == "failed"


def test_every_planned_test_has_an_outcome(lead):
    """Passed, failed, skipped and broken tests are all heard, once each"""
    found = lead(
        "def test_a(student): pass\ndef test_b(student): assert 0\ndef test_c(student): pytest.skip('x')\n"
        "def test_d(nothing): pass\ndef test_e(student): raise SystemExit(0)\n"
    )

    assert list(found.outcomes) == list(found.plan)
    assert found["test_e"].status == "failed"


@pytest.mark.parametrize(
    ("suite", "error", "sentence"),
    [
        ("def test_a(student:\n", CourseError, "cannot be collected"),
        ("import no_such_module_anywhere\n", CourseError, "no_such_module_anywhere"),
        ("raise SystemExit\n", SystemExit, ""),
        ("x = 1\n", CourseError, "there is no test in it"),
        ("@pytest.mark.parametrize('n', [])\ndef test_a(student, n): pass\n", None, ""),
    ],
)
def test_a_suite_that_cannot_be_collected(lead, suite, error, sentence):
    """It is a course error, in one sentence; no case at all is a skip, which earns nothing"""
    if error is None:
        assert [outcome.score for outcome in lead(suite).outcomes.values()] == [0.0]
        return
    with pytest.raises((error, CourseError, OurFault)) as raised:
        lead(suite)

    assert sentence in str(raised.value)


def test_no_match_and_no_expression(lead):
    """A keyword that matches nothing and one that is no expression are told apart"""
    suite = "def test_a(student): pass\n"
    with pytest.raises(NothingMatches, match="matches 'sigmoid'"):
        lead(suite, keyword="sigmoid")
    with pytest.raises(Exception, match="no such expression") as raised:
        lead(suite, keyword="a and (")

    assert raised.type.__name__ == "AskedWrongly"


# What a person sees


def test_titles_and_inputs(lead):
    """The first line of the docstring is the title, with the case; every test has inputs of its own, always the same"""
    suite = (
        "import builtins\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_a(student, rng, n):\n"
        "    '''Title\n\n    more'''\n    builtins.seen_by_test.append(float(rng.random()))\n\n"
        "def test_has_no_words(student, rng): builtins.seen_by_test.append(float(rng.random()))\n"
    )
    import builtins

    builtins.seen_by_test = seen = []
    try:
        found = lead(suite, subject_of(), subject_of())
    finally:
        del builtins.seen_by_test

    assert [test.says for test in found.plan.values()] == ["Title [1]", "Title [2]", "has no words"]
    assert len(set(seen)) == 3
    assert seen[:3] == seen[3:]


def test_a_diagnosis_is_asked_for_failures_of_written_code_only(lead):
    """A passed test, a stub and a missing result need none; a failure is given the test's transcript"""
    asked = []

    def diagnose(test, transcript):
        asked.append((test, len(transcript)))
        return "You forgot something."

    found = lead(
        "def test_a(student): assert student.relu(1) == 1\ndef test_b(student): assert student.relu(1) == 2\n"
        "def test_c(student): student.later(1)\ndef test_d(student): student.relu(1); student.broken(2)\n",
        subject_of(diagnose=diagnose),
    )

    assert asked == [("test_b", 1), ("test_d", 2)]
    assert found["test_b"].diagnosis == "You forgot something."
    assert (found["test_a"].diagnosis, found["test_c"].diagnosis) == ("", "")


def test_hide_errors_hides_what_is_wrong_but_not_that_nothing_is_written(lead):
    """The author's text takes the place of ours; an unwritten function and a file that cannot be imported are told"""
    suite = (
        "@hide_errors('Secret.')\ndef test_a(student): assert_close(student.relu(1.0), 2.0)\n\n"
        "@hide_errors('Secret.')\ndef test_b(student): student.later(1)\n"
    )

    assert [outcome.message for outcome in lead(suite).outcomes.values()] == [
        "Secret.",
        "Not written yet: later in relu.py, line 10.",
    ]
    found = lead(suite, subject_of("import numpy as np\n\nx = 1 / 0\n"))
    assert "ZeroDivisionError" in found["test_a"].message


def test_reference_and_speed_are_for_hidden_suites_in_a_grade(lead):
    """Where there are none, the test is unknown and says so"""
    found = lead("def test_a(student, reference): pass\ndef test_b(student, speed): pass\n")

    assert {outcome.status for outcome in found.outcomes.values()} == {"unknown"}
    assert "no solutions here" in found["test_a"].message


def test_pytest_s_own_settings_of_a_person_do_not_reach_us(lead, monkeypatch):
    """PYTEST_ADDOPTS and PYTEST_PLUGINS are for other projects, and are as they were afterwards"""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--maxfail=1 --no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    found = lead("def test_a(student): assert 0\ndef test_b(student): pass\n")

    import os

    assert found["test_b"].status == "passed"
    assert os.environ["PYTEST_PLUGINS"] == "no_such_plugin"


# The plugin as every pytest on the machine loads it

FOREIGN = """
import functools

class Odd:
    __wrapped__ = None
    def __call__(self): pass

def test_foreign(): pass

test_partial = functools.partial(test_foreign)

@pytest.fixture
def rng(): return 4

def test_own_fixture(rng): assert rng == 4
"""


def test_a_project_of_somebody_else_is_left_alone(pytester):
    """Tests that use none of our fixtures run as without us, and their own fixtures win"""
    pytester.makepyfile("import pytest\n" + FOREIGN)

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_loading_the_plugin_imports_nothing_heavy():
    """pytest itself, the package and the errors: no numpy, torch, msgspec or typer"""
    code = (
        "import sys, pytest; before = set(sys.modules); import nnkit.grader.plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "['nnkit', 'nnkit.grader', 'nnkit.grader.errors', 'nnkit.grader.plugin']"


def test_nothing_of_a_session_stays(lead):
    """After a session no subject of it is alive"""
    import weakref

    class Marked(Subject):
        __slots__ = ("__weakref__",)

    made = subject_of()
    marked = Marked(made.slug, made.student, made.seeds)
    watch = weakref.ref(marked)
    lead("def test_a(student): assert math_is_missing\ndef test_b(student): student.broken(1)\n", marked)
    del marked, made
    sys.last_value = sys.last_traceback = sys.last_exc = None
    gc.collect()

    assert watch() is None
