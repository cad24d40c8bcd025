"""Gradescope's results.json is made from a graded submission: tests, score, leaderboard, and never a zero that is ours."""

import json
import sys

import pytest

from nnkit import cli
from nnkit.grader import results
from nnkit.grader.errors import AskedWrongly, OurFault
from nnkit.grader.exchange import gradescope

FIELDS = {"name", "score", "max_score", "status", "output", "tags", "visibility"}


def result(who="ada", section="29k", state="graded", leaderboard=(), status="passed", detail=""):
    """A result of two tests, of which the visible one passed."""
    planned = [
        results.PlannedTest("test_a", "two and two", "visible", "", 1.0, 2.0, "visible"),
        results.PlannedTest("test_b", "speed", "hidden", f"{section}.H1", 1.0, 8.0, "after_published", ("slow",)),
    ]
    outcomes = {
        "visible:test_a": results.TestOutcome.of(planned[0], "passed", share=1.0),
        "hidden:test_b": results.TestOutcome.of(
            planned[1], status, share=0.6, message="silver", diagnosis="you loop over pixels."
        ),
    }
    return results.completed(who, section, planned, outcomes, state, detail, leaderboard=tuple(leaderboard))


def written(folder, *graded):
    (folder / "results.json").write_text(results.as_json(results.as_document("grade", list(graded))))
    return folder


def test_tests_and_score_have_gradescopes_fields():
    """Every test has name, points, status, words, tags and visibility; the score is their sum"""
    found = gradescope.as_results([results.as_plain(result(status="failed"))])

    assert found["score"] == 6.8
    visible, hidden = found["tests"]
    assert set(visible) == FIELDS
    assert set(hidden) == FIELDS | {"number"}
    assert (visible["name"], visible["status"], visible["visibility"]) == (
        "Section 29k: two and two",
        "passed",
        "visible",
    )
    assert (hidden["number"], hidden["score"], hidden["max_score"]) == ("29k.H1", 4.8, 8.0)
    assert hidden["output"] == "silver\nIt looks as if: you loop over pixels."
    assert (hidden["status"], hidden["tags"], hidden["visibility"]) == ("failed", ("slow",), "after_published")


def test_a_kernels_entries_become_the_leaderboard():
    """Name, value and order, as Gradescope reads them; a column of two sections is told apart"""
    entry = ("29k conv2d_fast, gold, EPYC", 1.03, "asc")
    found = gradescope.as_results(
        [results.as_plain(result(leaderboard=[entry, ("best", 3.0, "desc")])), results.as_plain(result(section="38", leaderboard=[("best", 0.98, "desc")]))]
    )  # fmt: skip

    assert found["leaderboard"] == [
        {"name": "29k conv2d_fast, gold, EPYC", "value": 1.03, "order": "asc"},
        {"name": "29k: best", "value": 3.0, "order": "desc"},
        {"name": "38: best", "value": 0.98, "order": "desc"},
    ]


@pytest.mark.parametrize("bad", [{"state": "unknown", "detail": "the machine is too busy"}, {"status": "unknown"}])
def test_what_is_our_fault_gets_no_file(bad):
    """An unknown test or section is no zero, and Gradescope takes a missing file for the autograder's failure"""
    with pytest.raises(OurFault, match="Section 29k of ada could not be graded, which is no zero"):
        gradescope.as_results([results.as_plain(result(**bad))])


def test_why_a_section_was_not_graded_stands_on_top():
    """A crash or a refusal is told above the tests"""
    found = gradescope.as_results(
        [results.as_plain(result(state="crashed", detail="It ended with a segmentation fault."))]
    )

    assert found["output"] == "Section 29k, crashed: It ended with a segmentation fault."


def test_one_submission_is_chosen(tmp_path):
    """Of a class one student is named; who is not there is told"""
    folder = written(tmp_path, result(), result(who="grace", section="13"))

    assert gradescope.export(folder, "grace")["tests"][0]["name"] == "Section 13: two and two"
    with pytest.raises(AskedWrongly, match="holds 2 submissions; name one with --only: ada, grace"):
        gradescope.export(folder)
    with pytest.raises(AskedWrongly, match="There is no submission of 'alan'"):
        gradescope.export(folder, "alan")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "command": "check", "results": []}', "\0"])
def test_other_files_are_told_apart(tmp_path, text):
    """Only a document of `nnkit grade` is read"""
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(AskedWrongly, match="is no document of `nnkit grade`"):
        gradescope.export(tmp_path)
    with pytest.raises(AskedWrongly, match="cannot be read"):
        gradescope.export(tmp_path / "nowhere")


def test_the_command_writes_the_file(tmp_path, monkeypatch, capsys):
    """`nnkit export gradescope DIR -o FILE`; without -o on standard output; other formats are named"""
    folder = written(tmp_path, result(leaderboard=[("29k", 1.5, "asc")]))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", "export", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, capsys.readouterr()

    code, printed = run("gradescope", folder)
    assert code == 0
    assert json.loads(printed.out)["leaderboard"] == [{"name": "29k", "value": 1.5, "order": "asc"}]
    assert run("gradescope", folder, "-o", tmp_path / "out.json")[0] == 0
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(printed.out)
    assert run("gradescope", folder, "-o", tmp_path / "no" / "out.json")[0] == 2
    code, printed = run("canvas", folder)
    assert (code, printed.err) == (2, "There is no format 'canvas'; there is gradescope.\n")
