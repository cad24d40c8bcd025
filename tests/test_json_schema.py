"""docs/json.md says what `--json` prints: real documents have exactly the fields, types and states of its tables."""

import inspect
import json
import re
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import nnkit
from nnkit import cli
from nnkit.grader import data, fetching, results, train, training
from nnkit.grader.sandbox import ORDER

PAGE = (Path(nnkit.__file__).parent / "docs" / "json.md").read_text("utf-8")
RIGHT = """\
import numpy as np

def double(x): return 2.0 * x
def slope(f, x, h=0.5): return (f(x + h) - f(x - h)) / (2 * h)

class Walker:
    def __init__(self, lr): self.lr, self.velocity = lr, 0.0
    def step(self, w, grad):
        self.velocity = self.velocity + self.lr * grad
        return w - self.velocity
"""
KINDS = {
    "text": lambda value: type(value) is str,
    "number": lambda value: type(value) in {int, float},
    "whole number": lambda value: type(value) is int,
    "true or false": lambda value: type(value) is bool,
    "list": lambda value: type(value) is list,
    "text or null": lambda value: value is None or type(value) is str,
    "texts by name": lambda value: type(value) is dict and {type(text) for text in value.values()} == {str},
}


def tables():
    """Every table of the page: by its heading, the first cell of each row without its backquotes, and the second."""
    found = {}
    for part in PAGE.split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", rest, flags=re.MULTILINE)
        assert len({name for name, _ in rows}) == len(rows), f"{heading}: a row stands twice"
        found[heading] = dict(rows)
    return found


TABLES = tables()
ENTRIES = {
    "list of tests": "Test",
    "list of entries": "Entry",
    "list of findings": "Finding",
    "list of layers": "Layer",
    "list of attacks": "Attack",
    "list of files": "File",
}


def assert_fits(tree, table):
    """Exactly the documented fields, each of its type, and so on downwards."""
    assert set(tree) == set(TABLES[table]), table
    for name, kind in TABLES[table].items():
        base = "list" if kind.startswith("list") else kind
        assert KINDS[base](tree[name]), f"{table}.{name} is {tree[name]!r}, documented as {kind}"
        if kind == "list of texts":
            assert all(type(entry) is str for entry in tree[name])
        for entry in tree[name] if kind in ENTRIES else ():
            assert_fits(entry, ENTRIES[kind])


@pytest.fixture
def document(small_course, capfd, monkeypatch):
    """Run a command with --json on the small course; hold the envelope, and return the results."""

    def document(command, *arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", command, "--json", *map(str, arguments)])
        with pytest.raises(SystemExit):
            cli.main()
        tree = json.loads(capfd.readouterr().out)
        assert_fits(tree, "Document")
        assert (tree["version"], tree["command"]) == (results.SCHEMA_VERSION, command)
        return tree["results"]

    return document


def test_the_page_has_the_tables():
    """All of them were read, and none is empty"""
    tables = "Document, Result, Test, Entry, Proof, Finding, Report, Layer, Attack, Line, Folder, File, Hints, Put back, Data, Network, States"
    assert ", ".join(TABLES) == tables
    assert all(TABLES.values())


def test_the_ten_states():
    """Those of the page are those of the records"""
    assert tuple(TABLES["States"]) == get_args(results.State)
    assert len(TABLES["States"]) == 10


@pytest.mark.parametrize("code", [RIGHT, "", "1 / 0\n", "import scipy\nx = scipy\n", "raise SystemExit\n", "def (:\n"])
def test_check(small_course, tmp_path, monkeypatch, document, code):
    """Passed, failed, refused, not importable: the same fields"""
    (tmp_path / "small.py").write_text(code)
    monkeypatch.chdir(tmp_path)

    [result] = document("check", "13")

    assert_fits(result, "Result")
    assert len(result["tests"]) == 3
    assert result["state"] in TABLES["States"]
    assert (result["state"] == "graded") == (result["detail"] == "")
    assert result["submission"] == "small.py"


def test_grade(small_course, tmp_path, document, secret):
    """A class with everything in it; results.json is the same document, results.jsonl the same results"""
    small_course.replace(
        small_course.hidden,
        'def test_slope(student, reference, rng):\n    """slope of a random cubic is the reference\'s"""\n',
        '@tags("slope")\n@leaderboard("speed")\ndef test_slope(student, reference, rng, set_leaderboard_value):\n'
        "    set_leaderboard_value(1.5)\n",
    )
    small_course.replace(small_course.hidden, "import number, weight", "import leaderboard, number, tags, weight")
    codes = {"ada": RIGHT, "grace": "import scipy\nx = scipy\n", "alan": "def (:\n"}
    for who, code in codes.items():
        folder = tmp_path / "class" / who
        folder.mkdir(parents=True)
        (folder / "small.py").write_text(code)

    found = document("grade", tmp_path / "class", "--secret-file", secret, "--jobs", "1", "--out", tmp_path / "out")

    for result in found:
        assert_fits(result, "Result")
    states = {result["submission"]: result["state"] for result in found}
    assert states == {"ada": "graded", "grace": "refused", "alan": "import_error"}
    ada = next(result for result in found if result["submission"] == "ada")
    assert ada["leaderboard"] == [{"name": "speed", "value": 1.5, "order": "desc"}]
    assert [test["tags"] for test in ada["tests"] if test["name"] == "test_slope"] == [["slope"]]
    assert ada["score"] == ada["max_score"] == 20.0
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["results"] == found
    lines = (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()
    assert sorted(map(json.loads, lines), key=str) == sorted(found, key=str)


@pytest.mark.parametrize("only", ["grace", "alan"])
def test_every_planned_test_is_listed_when_nobody_s_code_was_run(tmp_path, document, secret, only):
    """A class of one whose file is refused, or is no Python, has all tests of the section in its result, failed"""
    folder = tmp_path / "class" / only
    folder.mkdir(parents=True)
    (folder / "small.py").write_text({"grace": "import scipy\nx = scipy\n", "alan": "def (:\n"}[only])

    [result] = document("grade", tmp_path / "class", "--secret-file", secret, "--jobs", "1")

    assert (len(result["tests"]), result["score"], result["max_score"]) == (7, 0.0, 20.0)
    assert {(test["status"], test["message"]) for test in result["tests"]} == {("failed", result["detail"])}


def test_validate(small_course, document):
    """A proof and its findings"""
    [proof] = document("validate", "13", "--mode", "local", "--jobs", "1", "--again")

    assert_fits(proof, "Proof")
    assert proof["findings"]


def test_doctor(document):
    """What this machine offers, with every layer and every attack"""
    [report] = document("doctor")

    assert_fits(report, "Report")
    assert report["versions"]
    assert len(report["layers"]) == len(ORDER)
    assert bool(report["attacks"]) == (report["refusal"] == "")


def test_list_fetch_reset(small_course, tmp_path, monkeypatch, document):
    """The course, a section fetched, fetched again beside one's own work, helped with, and put back"""
    monkeypatch.chdir(tmp_path)
    [line] = document("list")
    [folder] = document("fetch", "13")
    small_course.append(small_course.stub, "\n# newer\n")
    (tmp_path / "s13_small" / "small.py").write_text("mine\n")
    [again] = document("fetch", "13")
    [hints] = document("hint", "13")
    [put_back] = document("reset", "13")
    [twice] = document("reset", "13")

    assert_fits(line, "Line")
    assert_fits(folder, "Folder")
    assert_fits(again, "Folder")
    assert_fits(hints, "Hints")
    assert_fits(put_back, "Put back")
    assert {file["did"] for file in folder["files"]} == {"new"}
    assert {file["did"] for file in again["files"]} == {"same", "beside"}
    assert {bool(file["beside"]) for file in again["files"]} == {True, False}
    assert put_back["backup"]
    assert_fits(twice, "Put back")
    assert twice["backup"] is None


def test_fetch_data(document, monkeypatch):
    """Where the data is, and what was tried"""
    found = fetching.Fetched(Path("here"), "npm", ("A mirror is dead.",))
    monkeypatch.setattr(fetching, "fetch", lambda *_arguments, **_options: found)

    [data] = document("fetch-data")

    assert_fits(data, "Data")
    assert data["failed"] == ["A mirror is dead."]


def test_train(document, monkeypatch, tmp_path):
    """What a training came to"""
    monkeypatch.chdir(tmp_path)
    labels = np.zeros(10, np.uint8)
    files = (b"", bytes(8), data.as_idx(np.zeros((10, 28, 28), np.uint8)), data.as_idx(labels))
    digits = data.Digits(False, tmp_path, files)
    weights = tuple(np.zeros(shape, np.float32) for shape in training.SHAPES)
    rows = (train.Epoch(1, 0.5, None, None),)
    found = train.Trained(Path("mnist.py"), digits, rows, weights, np.eye(10, dtype=np.int64), labels, 1.0)
    monkeypatch.setattr(train, "train", lambda *_arguments, **_options: found)

    [network] = document("train")

    assert_fits(network, "Network")
    assert network["accuracy"] == 1.0
    assert (tmp_path / "digits.html").is_file()


def test_every_command_that_prints_json_is_described():
    """By the row of `command`"""
    [row] = re.findall(r"^\| `command` \| text \| (.*) \|$", PAGE, flags=re.MULTILINE)
    commands = {
        command.name or command.callback.__name__
        for command in cli.app.registered_commands
        if "json" in inspect.signature(command.callback).parameters
    }

    assert set(re.findall(r"`([\w-]+)`", row)) == commands
