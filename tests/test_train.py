"""`nnkit train`: the student's own network, trained in a child, and a page that shows nothing but numbers."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import data, train
from nnkit.grader.errors import AskedWrongly
from nnkit.grader.report import digits as report
from nnkit.grader.training import SHAPES, Training

pytest.importorskip("torch")

ROOT = Path(__file__).parent.parent


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Two hundred training and a hundred test digits, published as the full set is, in the folder that NNKIT_DATA names."""
    found = data.subset()
    arrays = (found.train[0][:200], found.train[1][:200], found.test[0][:100], found.test[1][:100])
    files = [data.as_idx(np.ascontiguousarray(array)) for array in arrays]
    return data.Digits(False, found.place, tuple(files))


def state(rng):
    return {str(k): rng.standard_normal(shape).astype(np.float32) / 20 for k, shape in enumerate(SHAPES)}


def told(rng, **changes):
    history = [{"epoch": k, "loss": 1 / k, "validation_loss": 0.5, "validation_accuracy": 0.8} for k in (1, 2, 3)]
    return {"state_dict": state(rng), "history": history, "seconds": 1.5, **changes}


def test_what_is_measured(few):
    """Accuracy and confusion are those of the weights on the test digits, computed here"""
    rng = np.random.default_rng(0)
    answer = told(rng)

    found = train._measured(Path("mnist.py"), few, answer)

    images, labels = few.test
    logits = Training.logits_of(answer["state_dict"])((images[:, None] / 255 - 0.1307) / 0.3081)
    assert found.accuracy == np.mean(logits.argmax(1) == labels)
    assert found.confusion.sum() == 100
    assert found.confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state_dict": None}, "must be a dict"),
        ({"state_dict": {"a": np.zeros(3)}}, "must have 6 arrays"),
        ({"state_dict": {str(k): np.full(shape, np.nan) for k, shape in enumerate(SHAPES)}}, "not finite"),
        ({"history": "<script>alert(1)</script>"}, "list of dicts"),
        ({"history": [{"epoch": 1, "loss": "<script>"}]}, "loss must be a finite number"),
        ({"history": [{"epoch": 1, "loss": float("nan")}]}, "loss must be a finite number"),
        ({"history": [{"loss": 1.0}]}, "lacks epoch"),
    ],
)
def test_what_is_no_network_is_said(few, changes, says):
    """Weights and history are numbers of the right shapes, or a sentence says what they are not"""
    with pytest.raises(AskedWrongly, match=says):
        train._measured(Path("mnist.py"), few, told(np.random.default_rng(0), **changes))


def test_the_page_is_whole_and_asks_nobody(few):
    """Every part is there; no address, no other file; a name with an angle bracket does no harm"""
    found = train._measured(Path("/home/ada/<script>alert(1)</script>.py"), few, told(np.random.default_rng(0)))

    text = report.page(found)

    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    assert not re.search(r"https?://|src=|href=|@import|url\(", text)
    assert "default-src 'none'" in text
    for part in (
        "235,146",
        "200,960",
        "32,896",
        "1,290",
        'id="pad"',
        "<polyline",
        "Which digits are mixed up",
        "read as <b>",
    ):
        assert part in text
    assert text.count('class="unit"') == 64
    assert "$" not in re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)


def test_one_epoch_and_no_validation(few):
    """A history of one row, all alike, is drawn too"""
    found = train._measured(Path("mnist.py"), few, told(np.random.default_rng(0), history=[{"epoch": 1, "loss": 0.25}]))

    assert "<polyline" in report.page(found)
    assert "nan" not in report._curves(found)


@pytest.mark.slow
def test_the_command(tmp_path, few, monkeypatch):
    """In a student's folder the command trains, shows every epoch as it comes, and writes the page"""
    folder = tmp_path / "s38_mnist"
    folder.mkdir()
    (folder / "mnist.py").write_text((ROOT / "solutions" / "s38_mnist" / "mnist.py").read_text())
    monkeypatch.delenv("NNKIT_COURSE", raising=False)
    monkeypatch.setenv("NNKIT_DATA", str(few.place))
    command = [sys.executable, "-m", "nnkit.cli", "train", "--epochs", "1"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    assert "Training on the subset" in done.stderr
    assert re.search(r"epoch 1/1: loss \d\.\d{4}, validation accuracy 0\.\d{4}", done.stderr)
    assert re.match(r"\d\d\.\d\d% of the test digits", done.stdout)
    assert "My first neural network" in (tmp_path / "digits.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def run(*a, **o):\n    raise KeyError('x')\n", "run raised KeyError"),
        ("def run(*a, **o):\n    return 3\n", "must return a dict"),
        ("import os\ndef run(*a, **o):\n    raise SystemExit(0)\n", "SystemExit|ended"),
        ("x = 1\n", "has no `run`"),
    ],
)
def test_a_run_that_fails_is_told(tmp_path, monkeypatch, code, says):
    """Exit code 2 and one sentence with the file"""
    (tmp_path / "s38_mnist").mkdir()
    (tmp_path / "s38_mnist" / "mnist.py").write_text(code)
    monkeypatch.delenv("NNKIT_COURSE", raising=False)
    monkeypatch.setenv("NNKIT_DATA", str(data.subset().place))

    done = subprocess.run(
        [sys.executable, "-m", "nnkit.cli", "train"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert re.search(says, done.stderr)
    assert "mnist.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_child_that_ends_without_a_word_is_told(monkeypatch):
    """Killed for want of memory, say: a sentence, and it is not our fault"""
    monkeypatch.setattr(train, "MAIN", "this")

    with pytest.raises(AskedWrongly, match="ended the whole process"):
        train._ask({"file": "mnist.py", "section": "38"})
