"""Hints come one at a time, and what has been seen is remembered in the student's own folder."""

import pytest

from nnkit.grader import course, hints
from nnkit.grader.errors import WorkspaceError
from nnkit.grader.report import terminal


@pytest.fixture
def relu():
    return course.section("13")


@pytest.fixture
def home(tmp_path, relu):
    """A folder into which section 13 was fetched."""
    (tmp_path / relu.name).mkdir()
    (tmp_path / relu.name / "relu.py").write_text("mine\n")
    return tmp_path


@pytest.mark.parametrize("where", [".", "s13_relu"])
def test_each_time_one_more(relu, home, where):
    """The first, then the first two, then all, for as often as it is asked; from the section's own folder too"""
    seen = [hints.release(relu, home / where).texts for _ in range(5)]

    assert seen == [relu.hints[:1], relu.hints[:2], relu.hints, relu.hints, relu.hints]


def test_sections_do_not_share_what_was_seen(relu, home):
    """Hints of one section give away nothing of another"""
    other = course.section("12")
    (home / other.name).mkdir()
    (home / other.name / "sigmoid.py").write_text("mine\n")
    hints.release(relu, home)
    hints.release(relu, home)

    assert hints.release(other, home).texts == other.hints[:1]


def test_without_the_file_there_is_no_hint(relu, tmp_path):
    """The same sentence as everywhere, and nothing is written into a folder that is not one of the course"""
    with pytest.raises(WorkspaceError, match=r"`nnkit fetch 13` puts it here\."):
        hints.release(relu, tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", [".nnkit", ".nnkit/hints"])
def test_what_cannot_be_noted_is_one_sentence(relu, home, taken):
    """What lies in the way is left alone"""
    (home / taken).parent.mkdir(exist_ok=True)
    (home / taken).write_text("mine\n")

    with pytest.raises(WorkspaceError, match=r"hints cannot be written \(.*run `nnkit hint 13` again\."):
        hints.release(relu, home)

    assert (home / taken).read_text() == "mine\n"


def test_as_text(relu, home, monkeypatch):
    """Each with its number, wrapped; at the end how to go on"""
    monkeypatch.setenv("COLUMNS", "60")
    shown = [terminal.hints([hints.release(relu, home)]) for _ in relu.hints]

    assert shown[0].startswith("Hint 1 of 3\n  ")
    assert shown[0].endswith("\n\n`nnkit hint 13` once more shows the next one.")
    assert [line for line in shown[2].splitlines() if not line.startswith(" ")] == [
        "Hint 1 of 3", "", "Hint 2 of 3", "", "Hint 3 of 3", "", "These are all; `nnkit check 13` says what is still wrong."
    ]  # fmt: skip
    assert max(map(len, shown[2].splitlines())) <= 60
