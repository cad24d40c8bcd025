"""docs/course.md has a row for every section, and its counts are the course's; the table is written by the command alone."""

import re
import sys
from pathlib import Path

import pytest

import nnkit
from nnkit import cli
from nnkit.grader import course, course_table, validate
from nnkit.grader.course_table import COMMAND, COUNTED, HEADING, Counts, counts
from nnkit.grader.errors import CourseError
from nnkit.grader.validate import Finding, Proof

PAGE = Path(nnkit.__file__).parent / "docs" / "course.md"


def rows(text):
    """The cells of every row by the section's number, from a page with one table."""
    heading, rule, *lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert tuple(heading) == HEADING
    assert len(rule) == len(HEADING)
    return {cells[0]: cells for cells in lines}


def test_the_committed_table_has_every_section():
    """Those of the course, in its order"""
    assert list(rows(PAGE.read_text("utf-8"))) == list(course.folders()), f"make it anew: {COMMAND}"


@pytest.mark.parametrize("number", course.folders())
def test_the_committed_counts_are_the_course_s(number):
    """Tests, points, mistakes, kills and names of the page are those that the section's files have now"""
    section = course.section(number)
    cells = rows(PAGE.read_text("utf-8"))[number]

    assert cells[:COUNTED] == course_table.row(section, counts(section)), f"make it anew: {COMMAND}"
    assert len(cells) == len(HEADING)
    assert all(float(seconds) >= 0 for seconds in cells[COUNTED:])


def test_what_is_counted(small_course):
    """Cases of parametrised tests, numbers of hidden tests, those of a mistake's bracket, and what cannot be named"""
    assert counts(course.section("13")) == Counts(3, 4, 3, 3, 1, 1, 3, 0)

    small_course.append(
        small_course.mistakes,
        '\n\nedit("no_step", "Walker", says="You stand still.", killed_by=["13.H3", "13.H1"], not_nameable="why not",\n'
        '     old="w - self.velocity", new="w")\n',
    )
    small_course.append(
        small_course.hidden,
        '\n\n@number("13.H4")\n@pytest.mark.parametrize("n", range(5))\ndef test_more(student, n):\n    """More"""\n',
    )
    small_course.append(small_course.visible, '\n\ndef test_more(student):\n    """More"""\n')

    assert counts(course.section("13")) == Counts(4, 9, 4, 3, 1, 2, 3, 1)
    assert counts(course.section("13")).mistakes == 4


def test_nothing_is_run_to_count(small_course):
    """A reference that raises, tests that fail: the counts are the same"""
    small_course.reference.write_text(small_course.reference.read_text() + "\n\nraise RuntimeError\n")
    small_course.append(small_course.hidden, "\n\ndef test_no(student):\n    raise RuntimeError\n")

    assert counts(course.section("13")).hidden == 5


def test_an_empty_catalogue_counts_nothing(small_course):
    """No mistake, no kill"""
    small_course.mistakes.write_text('"""None."""\n')

    assert counts(course.section("13")) == Counts(3, 4, 3, 0, 0, 0, 0, 0)


def test_a_catalogue_that_cannot_be_read_is_said(small_course):
    """With the file and the line"""
    small_course.mistakes.write_text("def (\n")

    with pytest.raises(CourseError, match=r"mistakes\.py, line 1: invalid syntax"):
        counts(course.section("13"))


# The command


@pytest.fixture
def green():
    """What the proof of the small section finds, in both modes; a test may spoil it."""
    found = (Finding("stub", "fails every test", ok=True),)
    return [Proof("13", "local", 1, 7, 12.34, found, 0.56), Proof("13", "graded", 1, 7, 99.0, found, 9.9)]


@pytest.fixture
def run(small_course, tmp_path, capsys, monkeypatch, green):
    """`nnkit validate` whose proofs were made before: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(validate, "prove_all", lambda *_arguments: green)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", "validate", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return run


def test_the_command_writes_the_table(run, tmp_path):
    """One row per section with what was measured in local mode, and above it how the table is made"""
    code, out, err = run("--table", "course.md")

    page = (tmp_path / "course.md").read_text("utf-8")
    assert (code, err) == (0, "")
    assert "2 of 2 proofs hold." in out
    assert rows(page) == {
        "13": ["13", "Small", "3", "4", "20", "3", "3 of 3", "1", "3 of 3", "3", "0", "0.6", "12"],
    }
    assert COMMAND in page
    assert re.search(r"one machine and day, here \d{4}-\d\d-\d\d, ", page)
    assert "with 1 seed," in page


def test_more_seeds_are_said(run, green, tmp_path):
    """The proof of a release takes twenty"""
    green[0] = Proof("13", "local", 20, 7, 12.34, green[0].findings, 0.56)

    run("--table", "course.md", "--mode", "both", "--seeds", "20")

    assert "with 20 seeds," in (tmp_path / "course.md").read_text("utf-8")


def test_a_red_proof_leaves_the_table_as_it_was(run, green, tmp_path):
    """What does not hold is not told as if it did: exit code 1 and a sentence"""
    (tmp_path / "course.md").write_text("before")
    green[1] = Proof("13", "graded", 1, 7, 99.0, (Finding("stub", "x", ok=False, detail="why"),), 9.9)

    code, _, err = run("--table", "course.md")

    assert (code, err) == (1, "course.md is left as it was: a table is written when every proof holds.\n")
    assert (tmp_path / "course.md").read_text() == "before"


@pytest.mark.parametrize(
    "arguments", [["13", "--table", "t.md"], ["--mode", "graded", "--table", "t.md"], ["--table", "no/t.md"]]
)
def test_a_table_that_cannot_be_made_is_said(run, tmp_path, arguments):
    """Of some sections, without local mode, in a folder that is not there: exit code 2, one sentence, no file"""
    code, _, err = run(*arguments)

    assert (code, len(err.splitlines())) == (2, 1)
    assert "--table" in err
    assert not (tmp_path / "t.md").exists()
