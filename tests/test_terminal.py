"""What stands in the terminal: whole lines of at most the terminal's width, and colour only where a person looks."""

import io
import sys
from types import SimpleNamespace

import pytest

from nnkit.grader.check import Checked
from nnkit.grader.report import terminal
from nnkit.grader.results import PlannedTest, SectionResult, as_plain, completed
from nnkit.grader.results import TestOutcome as Outcome

SECTION = SimpleNamespace(number="13", title="ReLU", visible_suite=SimpleNamespace(name="test_relu.py"), points=20.0)
FILE = SimpleNamespace(name="relu.py")
MISMATCH = "1 of 2 values differs; the first at [1]:\n  yours      2\n  expected   0\n  The largest difference is 2 at [1]; allowed: 1e-07."
RAISED = "ValueError: no\n  relu.py, line 4, in relu\n    return helper(x)\n  relu.py, line 9, in helper\n    raise ValueError('no')"


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """A hundred columns, and nothing said about colour."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def outcome(says, message="", *, status=None, name="test_a", diagnosis="", score=None):
    planned = PlannedTest(name, says, "visible", "", 1.0, 1.0, "visible")
    status = status or ("failed" if message else "passed")
    share = float(status == "passed") if score is None else score
    return Outcome.of(planned, status, share=share, message=message, diagnosis=diagnosis)


def checked(*tests, state="graded", detail="", **options):
    score = sum(test.score for test in tests)
    result = SectionResult("relu.py", "13", state, score, float(len(tests)), 0.0, "none", tests, detail)
    return Checked(SECTION, FILE, as_plain(result), 16.0, **options)


def shown(*results, following=None):
    return terminal.checked(results, following)


def test_everything_right():
    """A line per test, what comes next, and that hidden checks are still to come"""
    text = shown(
        checked(outcome("relu(0) is 0"), outcome("relu(2) is 2")),
        following=(SimpleNamespace(number="14", title="Tanh"), ""),
    )

    assert text == (
        f"Section 13: ReLU{'relu.py':>84}\n"
        "\n"
        f"  ok    relu(0) is 0{'1 of 1':>80}\n"
        f"  ok    relu(2) is 2{'1 of 1':>80}\n"
        "\n"
        "2 of 2 visible checks passed; hidden checks run when it is graded.\n"
        "2 of 2 points here; 16 more are given by the hidden checks.\n"
        "\n"
        "Next: section 14, Tanh: nnkit fetch 14"
    )


def test_the_next_section_that_was_fetched_is_to_be_read():
    """Where its lesson lies"""
    text = shown(checked(outcome("a")), following=(SimpleNamespace(number="14", title="Tanh"), "s14/README.md"))

    assert text.endswith("Next: section 14, Tanh: read s14/README.md, then nnkit check 14")


def test_something_wrong():
    """What, where, yours, expected; the student's frames; the known mistake; how to run that test again"""
    text = shown(
        checked(
            outcome("relu(-2) is 0", MISMATCH, diagnosis="You forgot the mask.", name="test_negative[2]"),
            outcome("relu(2) is 2", RAISED, name="TestB.test_positive"),
            outcome("half", "Partly right: 50% of the points.", score=0.5),
            outcome("x", "The grader failed. This is not your fault and costs no points.", status="unknown"),
        )
    )

    assert text.splitlines()[2:-3] == [
        f"  FAIL  relu(-2) is 0{'0 of 1':>79}",
        "        1 of 2 values differs; the first at [1]:",
        "          yours      2",
        "          expected   0",
        "          The largest difference is 2 at [1]; allowed: 1e-07.",
        "        It looks as if: You forgot the mask.",
        "        Again: nnkit check 13 -k negative",
        f"  FAIL  relu(2) is 2{'0 of 1':>80}",
        "        ValueError: no",
        "          relu.py, line 4, in relu",
        "            return helper(x)",
        "          relu.py, line 9, in helper",
        "            raise ValueError('no')",
        "        Again: nnkit check 13 -k positive",
        f"  FAIL  half{'0.5 of 1':>88}",
        "        Partly right: 50% of the points.",
        "        Again: nnkit check 13 -k a",
        f"  ?     x{'0 of 1':>91}",
        "        The grader failed. This is not your fault and costs no points.",
        "        Again: nnkit check 13 -k a",
    ]


def test_the_same_again_is_not_told_at_length():
    """A long message is told once; a short one may stand again"""
    text = shown(checked(*(outcome(f"case {n}", RAISED) for n in range(3)), outcome("a", "No."), outcome("b", "No.")))

    assert text.count("line 9, in helper") == 1
    assert text.count("The same as for: case 0") == 2
    assert text.count("        No.") == 2


def test_what_is_not_written_yet():
    """One line per test, and no advice to run it again"""
    message = "Not written yet: relu in relu.py, line 14."

    text = shown(checked(outcome("a", message), outcome("b", message)))

    assert text.count(message) == 2
    assert "Again" not in text
    assert "same as" not in text


def test_what_is_wrong_with_the_whole_file_is_told_once():
    """The sentence, the frames of the import, and that nothing passed; no list of tests"""
    detail = "relu.py could not be imported: NameError: name 'y' is not defined (line 9)"
    message = f"{detail}\n  relu.py, line 9, in <module>\n    x = y"

    text = shown(
        checked(*[outcome(f"case {n}", message) for n in range(3)], state="import_error", detail=detail, whole=True)
    )

    assert text.splitlines()[2:-2] == [
        f"  {detail}",
        "    relu.py, line 9, in <module>",
        "      x = y",
        "",
    ]


def test_a_refused_file_names_its_line():
    """File and line stand in the sentence"""
    detail = "relu.py, line 2: section 13 asks you to write maximum without numpy.maximum."

    assert f"\n  {detail}\n" in shown(checked(outcome("a", detail), state="refused", detail=detail, whole=True))


@pytest.mark.parametrize("columns", [40, 50, 61, 80, 100])
def test_no_line_is_wider_than_the_terminal(monkeypatch, columns):
    """Titles, messages, diagnoses and sentences wrap; a line of code is cut; the points stay in their column"""
    monkeypatch.setenv("COLUMNS", str(columns))
    words = "a title that is longer than any terminal is wide because it says so much about numbers " * 2
    code = "    return " + " + ".join(f"variable_{n}" for n in range(40))
    raised = f"ValueError: {words}\n  relu.py, line 4, in relu\n{code}"

    text = shown(checked(outcome(words), outcome(words, raised, diagnosis=words), differs=True, keyword="a or b"))

    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    firsts = [line for line in lines if line.startswith(("  ok", "  FAIL"))]
    assert [line[-6:] for line in firsts] == ["1 of 1", "0 of 1"]
    assert len({len(line) for line in firsts}) == 1
    assert sum("variable_" in line for line in lines) == 1
    assert next(line for line in lines if "variable_" in line).endswith(" ...")
    for title in (0, 1):
        start = lines.index(firsts[title])
        assert lines[start + 1].startswith(" " * 8)


def test_no_line_is_wider_than_a_hundred(monkeypatch):
    """On a wide screen too: long lines are hard to read"""
    monkeypatch.setenv("COLUMNS", "300")

    assert max(map(len, shown(checked(outcome("word " * 60))).splitlines())) == 100


def test_an_edited_suite_is_noted():
    """And what plain pytest does with it"""
    assert "Your test_relu.py differs from the course's; the course's was run." in shown(
        checked(outcome("a"), differs=True)
    )


def test_a_keyword_is_told():
    """How many of the matching checks passed, not how many of all"""
    assert "1 of 1 visible checks that match 'zero' passed" in shown(checked(outcome("a"), keyword="zero"))


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("screen", "environment", "coloured"),
    [
        (False, {}, False),
        (True, {}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_only_where_a_person_looks(monkeypatch, screen, environment, coloured):
    """A terminal or FORCE_COLOR; NO_COLOR goes before both, and an empty variable says nothing"""
    monkeypatch.setattr(sys, "stdout", Screen() if screen else io.StringIO())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    text = shown(checked(outcome("a"), outcome("b", "No."), outcome("c", "Ours.", status="unknown")))

    assert ("\x1b" in text) == coloured
    if coloured:
        assert [line[:5] for line in text.splitlines() if "\x1b" in line] == ["\x1b[32m", "\x1b[31m", "\x1b[33m"]
        assert all(line.endswith("\x1b[0m") for line in text.splitlines() if "\x1b" in line)


def test_a_table_of_grades():
    """A line per submission and section, points to the right, names and notes made harmless"""
    planned = [PlannedTest("test_a", "a", "hidden", "13.H1", 1.0, 8.0, "visible")]
    right = completed("ada", "13", planned, {"hidden:test_a": Outcome.of(planned[0], "passed", share=1.0)}, "graded")
    refused = completed("gr\x1b[31mace\n", "13", planned, {}, "refused", "relu.py, line 2: " + "long " * 30)
    found = SimpleNamespace(
        results=[right, refused],
        notes=["alan\x1b[2J: nothing"],
        seconds=1.25,
        isolations=("limits",),
        secret="ab12",
        written=None,
    )

    assert terminal.graded(found) == (
        "submission      section  state    score  of  passed\n"
        "--------------  -------  -------  -----  --  ------  "
        "------------------------------------------------------------\n"
        "ada             13       graded       8   8     1/1\n"
        r"gr\x1b[31mace   13       refused      0   8     0/1  "
        "relu.py, line 2: long long long long long long long long ...\n"
        "\n"
        "Note: alan\\x1b[2J: nothing\n"
        "2 results: 1 graded, 1 refused\n"
        "1.2 s; worker isolation: limits; secret ab12."
    )


def test_a_table_of_proofs():
    """What holds and what does not, with the reason below"""
    from nnkit.grader.validate import Finding, Proof

    green = Proof("13", "local", 1, 20, 3.25, (Finding("stub", "fails every test", ok=True),))
    red = Proof(
        "14",
        "graded",
        2,
        20,
        1.0,
        (Finding("mistake", "sign", ok=False, detail="13.H1 do not kill it"), Finding("mistake", "b", ok=True)),
    )

    lines = terminal.proofs([green, red]).splitlines()

    assert lines[0].split() == [
        "section",
        "mode",
        "seeds",
        "tests",
        "reference",
        "stub",
        "mistakes",
        "generic",
        "texts",
        "CPU",
        "s",
    ]
    assert lines[2].split() == ["13", "local", "1", "20", "-", "1/1", "-", "-", "-", "3.2", "ok"]
    assert lines[3].split() == ["14", "graded", "2", "20", "-", "-", "1/2", "-", "-", "1.0", "RED"]
    assert lines[5:7] == ["section 14, graded: mistake sign", "  13.H1 do not kill it"]
    assert lines[-1] == "1 of 2 proofs hold."


def test_one_result_is_one_result():
    """Not 1 results"""
    result = SectionResult("ada", "13", "graded", 1.0, 2.0, 0.0, "none", ())
    found = SimpleNamespace(results=(result,), notes=(), seconds=1.0, isolations=(), secret="s", written=None)

    assert "\n1 result: 1 graded\n" in terminal.graded(found)
