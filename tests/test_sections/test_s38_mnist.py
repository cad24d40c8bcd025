"""Section 38's data and reference against torch's own loop, safetensors itself, and what is known of MNIST."""

import gzip
import importlib.util
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import course, data, processes, session
from nnkit.grader.seeds import Seeds
from nnkit.grader.subjects import makers, submission

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

ROOT = Path(__file__).parents[2]
PATH = ROOT / "solutions" / "s38_mnist" / "mnist.py"
NAMES = [part.name for part in data.FULL]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_of_section_38", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain_loop(reference, X, y, epochs, seed):
    """The tutorial's program, with the seeds of the section: the plainest correct loop over the same batches."""
    model = reference.build_model(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    loss_fn = torch.nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        torch.manual_seed(seed * 1_000_003 + epoch)
        for rows in reference.batches(len(X), 64, True, seed, epoch):
            optimizer.zero_grad()
            loss = loss_fn(model(X[torch.from_numpy(rows)]), y[torch.from_numpy(rows)])
            loss.backward()
            optimizer.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def test_the_subset_of_the_course():
    """Ten thousand training and two thousand test images, each digit among them, under two megabytes, with a licence"""
    found = data.subset()
    (images, labels), (tests, test_labels) = found.train, found.test

    assert images.shape == (10_000, 28, 28)
    assert tests.shape == (2_000, 28, 28)
    assert np.bincount(labels).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert np.bincount(test_labels).tolist() == [189, 222, 212, 242, 196, 186, 158, 215, 193, 187]
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert sum((found.place / f"{name}.gz").stat().st_size for name in NAMES) < 2_000_000
    licence = (found.place / "LICENSE-DATA").read_text()
    assert "LeCun" in licence
    assert "CC BY-SA 3.0" in licence


def test_reading_and_normalising(reference):
    """The files of the subset are read as numpy would read them, and the pixels get about mean 0 and deviation 1"""
    found = data.subset()
    packed = (found.place / f"{NAMES[0]}.gz").read_bytes()

    images = reference.read_idx(packed)
    header = struct.unpack(">HBBIII", gzip.decompress(packed)[:16])
    assert header == (0, 8, 3, *images.shape)
    np.testing.assert_array_equal(images, found.train[0])
    pixels = reference.normalise(images)
    assert abs(pixels.mean().item()) < 0.01
    assert abs(pixels.std().item() - 1) < 0.01


def test_training_equals_the_plain_loop(reference):
    """run gives, bit for bit, the weights of the tutorial's loop over the same batches"""
    images, labels = (part[:400] for part in data.subset().train)
    state = torch.get_rng_state()

    weights = reference.run(data.as_idx(images), data.as_idx(labels), epochs=2, seed=3)["state_dict"]

    assert torch.equal(torch.get_rng_state(), state)
    X, y = reference.normalise(images), torch.from_numpy(labels.astype(np.int64))
    expected = plain_loop(reference, X, y, 2, 3)
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(value, expected[name])


def test_measuring(reference):
    """evaluate agrees with counting by hand on logits of 300 real digits"""
    images, labels = (part[:300] for part in data.subset().test)
    X, y = reference.normalise(images), torch.from_numpy(labels.astype(np.int64))
    model = reference.build_model(1)
    found = reference.evaluate(model.train(), X, y, batch_size=7)

    model.eval()
    logits = model(X).detach()
    table = np.zeros((10, 10), np.int64)
    for truth, said in zip(labels, logits.argmax(1).tolist(), strict=True):
        table[truth, said] += 1
    np.testing.assert_array_equal(found["confusion"], table)
    assert found["accuracy"] == pytest.approx(np.trace(table) / 300)
    assert found["loss"] == pytest.approx(torch.nn.CrossEntropyLoss()(logits, y).item(), rel=1e-6)


def test_a_checkpoint_opens_elsewhere(reference, tmp_path):
    """The safetensors library reads names, shapes and metadata of a checkpoint from a file"""
    model = reference.build_model(0)
    optimizer = reference.make_optimizer(model)
    X, y = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    reference.train_epoch(model, X, y, optimizer, 4, 0, 0)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(reference.save_checkpoint(model, optimizer, 1, [{"epoch": 1, "loss": 0.5}]))

    import safetensors

    with safetensors.safe_open(path, "pt") as opened:
        facts = json.loads(opened.metadata()["training"])
        assert facts == {"epoch": 1, "history": [{"epoch": 1, "loss": 0.5}]}
        assert len(list(opened.keys())) == 6 + 6 * 3
        assert torch.equal(opened.get_tensor("model.1.weight"), model[1].weight.detach())


def graded(source, digits, keyword="real_digits"):
    """Outcomes of the real run of some code, and the state of its worker, with these digits."""
    section = course.section("38")
    found = []
    with makers(section, Seeds(b"test"), None, diagnosing=False) as made:
        made.digits = lambda: digits
        subject = made.subject(submission(section, {"mnist.py": source}))
        visit = session.Visit(subject, heard=lambda outcome: found.append(outcome) is None)
        session.run([section.hidden_suite], [visit], points=80.0, keyword=keyword)
    return found


@pytest.mark.full_data
def test_full_data(monkeypatch):
    """The reference reaches 97 % on the full set within ten epochs, in a worker of at most 600 MiB, on digits made unknown"""
    digits, peaks, end = data.find(), [], processes.Process.end
    assert digits.full, "run `nnkit fetch-data mnist` first"

    def noting(process):
        ended = end(process)
        peaks.append(ended.get("peak", 0))
        return ended

    monkeypatch.setattr(processes.Process, "end", noting)
    [outcome] = graded(PATH.read_bytes(), digits)

    assert outcome.status == "passed", outcome.message
    assert "full set (60,000" in outcome.message
    print(f"\n{outcome.message} At most {max(peaks) / 1e6:.0f} MB.")
    assert max(peaks) <= 600 << 20


@pytest.mark.full_data
def test_no_dearer_than_the_plain_loop(reference):
    """An epoch of the full set costs at most 1.1 times the processor time of the plainest correct loop"""
    digits = data.find()
    assert digits.full, "run `nnkit fetch-data mnist` first"
    torch.set_num_threads(1)
    X, y = reference.normalise(digits.train[0]), torch.from_numpy(digits.train[1].astype(np.int64))
    seconds = {"reference": [], "plain": []}
    for _ in range(4):
        model = reference.build_model(0)
        optimizer = reference.make_optimizer(model)
        begin = os.times().user
        reference.train_epoch(model, X, y, optimizer, 64, 0, 0)
        seconds["reference"].append(os.times().user - begin)
        begin = os.times().user
        plain_loop(reference, X, y, 1, 0)
        seconds["plain"].append(os.times().user - begin)

    ratio = min(seconds["reference"]) / min(seconds["plain"])
    print(f"\nan epoch of the full set: {ratio:.2f} times the processor time of the plainest loop")

    assert ratio <= 1.1


@pytest.mark.slow
@pytest.mark.parametrize("style", ["tutorial_style", "by_hand", "functional"])
def test_other_solutions(style):
    """Correct code written in another way passes every test, the real run in a worker included"""
    section = course.section("38")
    found = []
    with makers(section, Seeds(b"others"), None) as made:
        made.digits = data.subset
        source = (ROOT / "tests" / "solutions" / section.name / f"{style}.py").read_bytes()
        subject = made.subject(submission(section, {"mnist.py": source}))
        visit = session.Visit(subject, heard=lambda outcome: found.append(outcome) is None)
        session.run([section.visible_suite, section.hidden_suite], [visit], points=80.0)

    assert {(outcome.name, outcome.message) for outcome in found if outcome.status != "passed"} == set()
    assert sum(outcome.score for outcome in found) == pytest.approx(80.0)
