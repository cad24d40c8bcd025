"""A class of students whose training goes wrong, graded as it is handed in: each loses points where it should, and is told why."""

import functools
import re
import sys
from pathlib import Path

import pytest

from nnkit.grader import course, data, grading, session
from nnkit.grader.exchange.plain import Submission
from nnkit.grader.seeds import Seeds

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")]

FILE = Path(__file__).parents[1] / "solutions" / "s38_mnist" / "tutorial_style.py"
REAL, TWICE, LINES = "test_real_digits", "test_run_twice", "test_one_line_an_epoch"

# What each of them wrote instead of what stands in a right solution; the tests that notice, and what these say.
TRAINERS = {
    "right": ("", "", {}),
    "prints every step": (
        "        optimizer.step()\n",
        '        optimizer.step()\n        print(f"step: loss {each.mean():.4f}")\n',
        {LINES: "run printed 4 lines in 2 epochs; one an epoch was asked for"},
    ),
    "changes global seeds": (
        "    model = build_model(seed)\n",
        "    np.random.seed(seed)\n    torch.manual_seed(seed)\n    model = build_model(seed)\n",
        {TWICE: "global random state"},
    ),
    "weights of NaN": (
        "    model = build_model(seed)\n",
        "    X = (X - X.mean(0)) / X.std(0)  # a pixel that is always white has no spread\n    model = build_model(seed)\n",
        {REAL: "the weights are not finite"},
    ),
    "reads files": (
        "    X, y = normalise(read_idx(train_images)),",
        '    train_images = gzip.open("train-images-idx3-ubyte.gz").read()\n    X, y = normalise(read_idx(train_images)),',
        dict.fromkeys((TWICE, LINES, REAL), "train-images-idx3-ubyte.gz"),
    ),
    "on a GPU": (
        "    model = build_model(seed)\n",
        '    model = build_model(seed).to("cuda")\n',
        dict.fromkeys((TWICE, LINES, REAL), 'model = build_model(seed).to("cuda")'),
    ),
    "on another device": (
        "weight.detach().numpy()",
        'weight.detach().to("meta")',
        {TWICE: "no test can use", LINES: "no test can use", REAL: "no test can use"},
    ),
    "tensors": (
        "weight.detach().numpy()",
        "weight.detach()",
        {TWICE: "numpy arrays, not tensors", REAL: "is a tensor; make it a numpy array"},
    ),
    "lacks a layer": (
        "in model.state_dict().items()}\n    return",
        'in model.state_dict().items() if "bias" not in name}\n    return',
        {REAL: "must have 6 arrays"},
    ),
    "labels of the next": (
        "    model = build_model(seed)\n",
        "    y = y.roll(1)\n    model = build_model(seed)\n",
        {REAL: "of the test digits are read"},
    ),
}


def graded(monkeypatch, sources, keyword):
    """Results of a class of students on some tests of the section, with the digits that come with the course."""
    section = course.section("38")
    monkeypatch.setattr(data, "find", data.subset)
    monkeypatch.setattr(grading.session, "run", functools.partial(session.run, keyword=keyword))
    handed_in = [Submission(who, who, files={"38": {"mnist.py": text.encode()}}) for who, text in sources.items()]
    results = grading.grade(handed_in, [section], Seeds(b"trainers"), jobs=1)
    return {result.submission: result for result in results}


def wrong(old, new):
    """The right solution with one text replaced."""
    text = FILE.read_text("utf-8")
    assert not old or text.count(old) == 1, f"{old!r} is not there once"
    return text.replace(old, new) if old else text


@pytest.fixture(scope="module")
def results():
    """All of them, graded together."""
    with pytest.MonkeyPatch.context() as patch:
        sources = {who: wrong(old, new) for who, (old, new, _) in TRAINERS.items()}
        yield graded(patch, sources, f"{REAL} or {TWICE} or {LINES}")


@pytest.mark.parametrize("who", list(TRAINERS))
def test_each_is_told_what_went_wrong(results, who):
    """It is graded to the end; the tests that notice say it, and all others pass"""
    expected = TRAINERS[who][2]
    result = results[who]

    assert (result.state, result.detail) == ("graded", "")
    failed = {test.name: test.message for test in result.tests if test.status != "passed"}
    assert sorted(failed) == sorted(expected)
    for name, says in expected.items():
        assert says in failed[name]


def test_a_training_that_never_ends(monkeypatch):
    """It is ended after three times the reference's processor time and a little, and told so; the state is timeout"""
    endless = wrong(
        '    for epoch in range(state["epoch"], epochs):\n',
        '    epoch = state["epoch"]\n    while epoch < epochs:  # and never counts\n',
    )

    [result] = graded(monkeypatch, {"never ends": endless}, REAL).values()

    assert result.state == "timeout"
    [test] = result.tests
    assert (test.status, test.score) == ("failed", 0.0)
    assert re.search(r"did not come back\. The \d+ s of processor time for this training are used up\.", test.message)
