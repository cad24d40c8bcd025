"""Records of what was found out: points from the plan, nothing missing, nothing that JSON or a terminal chokes on."""

import json
import math
from dataclasses import FrozenInstanceError, replace

import pytest

from nnkit.grader import results
from nnkit.grader.results import PlannedTest

NEWLINE, TAB, ESCAPE, BELL = "\n", "\t", "\x1b", "\x07"


def a_test(name="test_a", suite="hidden", weight=1.0, **options):
    return PlannedTest(name, f"what {name} holds", suite, "13.H1", weight, 0.0, "after_published", **options)


def outcomes(tests, status="passed", share=1.0):
    return {f"{test.suite}:{test.name}": results.TestOutcome.of(test, status, share=share) for test in tests}


@pytest.fixture
def plan():
    tests = [
        a_test("test_a"),
        a_test("test_b", weight=3.0),
        a_test("test_c", "visible"),
        a_test("test_d", "visible"),
    ]
    return results.plan(tests, 20.0)


def test_the_plan_shares_out_the_points(plan):
    """Visible tests have a fifth of 20 points in equal parts, hidden ones the rest by weight"""
    assert [test.max_score for test in plan] == [4.0, 12.0, 2.0, 2.0]


@pytest.mark.parametrize("weights", [[1 / 3] * 3, [0.1] * 10, [1e-9, 1e9, 3.0], [7.0, 11.0, 13.0, 1 / 7]])
def test_all_points_are_given_out(weights):
    """Whatever the weights, everything right is the section's points, to the last of six decimals"""
    tests = [a_test(f"test_{n}", weight=weight) for n, weight in enumerate(weights)] + [a_test("test_v", "visible")]
    planned = results.plan(tests, 17.0)

    found = results.completed("ada", "13", planned, outcomes(planned), "graded")

    assert (found.score, found.max_score, found.passed) == (17.0, 17.0, True)


def test_a_suite_without_weight_divides_nothing_by_zero():
    """Tests that all weigh nothing are worth nothing"""
    assert [test.max_score for test in results.plan([a_test(weight=0.0)], 20.0)] == [0.0]
    assert results.plan([], 20.0) == []


def test_what_is_missing_has_failed_and_says_so(plan):
    """The result has every planned test in the plan's order, whatever was heard"""
    found = results.completed("ada", "13", plan, outcomes(plan[2:3]), "graded")

    assert [test.name for test in found.tests] == [test.name for test in plan]
    assert [test.status for test in found.tests] == ["failed", "failed", "passed", "failed"]
    assert found.tests[0].message == "It did not run."
    assert (found.score, found.passed) == (2.0, False)


def test_what_is_missing_through_our_fault_is_unknown(plan):
    """It says why, and is worth nothing in either way"""
    found = results.completed("ada", "13", plan, {}, "unknown", "The disk is full.")

    assert {test.status for test in found.tests} == {"unknown"}
    assert {test.message for test in found.tests} == {"The disk is full."}


def test_nothing_planned_is_nothing_passed():
    """Zero tests are no success"""
    assert not results.completed("ada", "13", [], {}, "graded").passed


def test_the_section_s_points_may_be_told(plan):
    """Where only part was planned, the section is still worth what it is worth"""
    assert results.completed("ada", "13", plan[:1], {}, "refused", points=20.0).max_score == 20.0


def test_records_cannot_be_changed(plan):
    """A planned test, an outcome and a result are what they were made"""
    found = results.completed("ada", "13", plan, outcomes(plan), "graded")
    for record in (plan[0], found.tests[0], found):
        with pytest.raises(FrozenInstanceError):
            record.max_score = 100.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"red {ESCAPE}[31m", r"red \x1b[31m"),
        (f"a{TAB}b\rc{BELL}d\0", r"a\tb\rc\x07d\x00"),
        (f"two{NEWLINE}lines", f"two{NEWLINE}lines"),
        ("ok\u2028forged\u2029line\x85\x0b\x0c", r"ok\u2028forged\u2029line\x85\x0b\x0c"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth \ufeff", r"zero\u200bwidth \ufeff"),
        ("lone \ud800 \udcff", r"lone \ud800 \udcff"),
        ("private \ue000 \U000f0000", r"private \ue000 \U000f0000"),
        ("näive π 日本 🙂", "näive π 日本 🙂"),
        ("", ""),
    ],
)
def test_texts_are_made_harmless(text, told):
    """Nothing moves a cursor, hides a text, forges a line or cannot be written as UTF-8; letters stay"""
    assert results.clean(text) == told
    assert len(told.splitlines()) <= 1 + text.count(NEWLINE)
    told.encode("utf-8")


def test_outcomes_hold_harmless_bounded_texts():
    """Message and diagnosis are cleaned when the outcome is made, and a message of 50 MB is cut"""
    made = results.TestOutcome.of(a_test(), "failed", message=ESCAPE * 50_000_000, diagnosis=f"a{ESCAPE}b")

    assert len(made.message) < 10 * results.MESSAGE_LIMIT
    assert made.message.endswith("... (cut)")
    assert made.diagnosis == r"a\x1bb"


def test_the_document(plan):
    """Envelope, then results with every field; sums show no rounding noise; the text is JSON and comes back equal"""
    found = results.completed(
        "grace", "13", plan, outcomes(plan, "failed", 1 / 3), "graded", leaderboard=(("time", 1.5, "asc"),)
    )
    document = results.as_document("grade", [found, found])
    back = json.loads(results.as_json(document))

    assert (back["version"], back["command"], len(back["results"])) == (results.SCHEMA_VERSION, "grade", 2)
    assert back["results"][0]["leaderboard"] == [{"name": "time", "value": 1.5, "order": "asc"}]
    assert back["results"][0]["score"] == 6.666667
    assert back["results"][0]["tests"][0]["score"] == 1.333333
    assert back["results"][0]["tests"][0]["tags"] == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_never_written(plan, value):
    """Gradescope's autograder times out on a NaN: it is an error here, before anything is written"""
    found = replace(results.completed("ada", "13", plan, {}, "graded"), score=value)

    with pytest.raises(ValueError, match="not JSON compliant"):
        results.as_json(results.as_document("grade", [found]))


def test_rounding_makes_no_minus_zero():
    """-1e-9 points are 0, not -0"""
    assert math.copysign(1.0, results.rounded(-1e-9)) == 1.0
