"""Section 38c's reference against functional torch, scipy and its own lesson; its marks on real digits."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import course, data, session
from nnkit.grader.seeds import Seeds
from nnkit.grader.subjects import makers, submission

torch = pytest.importorskip("torch")
functional = torch.nn.functional

ROOT = Path(__file__).parents[2]
PATH = ROOT / "solutions" / "s38c_convolutional_road" / "convolutional_road.py"
OTHERS = ROOT / "tests" / "solutions" / "s38c_convolutional_road"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_of_section_38c", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcomes(source, digits, keyword=""):
    """What becomes of all tests, or of some, with these digits."""
    section, found = course.section("38c"), []
    with makers(section, Seeds(b"others"), None, diagnosing=False) as made:
        made.digits = lambda: digits
        subject = made.subject(submission(section, {"convolutional_road.py": source}))
        visit = session.Visit(subject, heard=lambda outcome: found.append(outcome) is None)
        session.run([section.visible_suite, section.hidden_suite], [visit], points=section.points, keyword=keyword)
    return found


def test_the_picture(reference):
    """By default the network has the parameters of the lesson's table, and computes what functional torch computes"""
    model = reference.build_model(3)
    names = list(model.state_dict())
    w1, b1, w2, b2, W3, b3, W4, b4 = model.state_dict().values()
    images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))

    found = model(images).detach()

    assert sum(value.numel() for value in model.state_dict().values()) == 421_642
    first = functional.max_pool2d(functional.conv2d(images, w1, b1, padding=1).relu(), 2)
    second = functional.max_pool2d(functional.conv2d(first, w2, b2, padding=1).relu(), 2)
    expected = functional.linear(functional.linear(second.flatten(1), W3, b3).relu(), W4, b4)
    assert torch.allclose(found, expected, atol=1e-6), names
    for mine, theirs in zip(reference.feature_maps(model, images), (first, second), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_what_it_costs(reference):
    """The counts are those of section 29's reference, and of the lesson's table"""
    spec = importlib.util.spec_from_file_location("cnn_of_section_29", course.section("29").reference)
    cnn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cnn)
    conv, pool = {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1}, {"kind": "pool", "kernel": 2, "stride": 2}
    specs = [{**conv, "filters": 32}, pool, {**conv, "filters": 64}, pool, {"kind": "flatten"}]
    specs += [{"kind": "dense", "units": 128}, {"kind": "dense", "units": 10}]
    counted = [row["params"] for row in cnn.trace_cnn((1, 28, 28), specs) if row["params"]]

    found = reference.cost()

    assert [row["parameters"] for row in found] == counted == [320, 18_496, 401_536, 1_290]
    assert [row["products"] for row in found] == [225_792, 3_612_672, 401_408, 1_280]


def test_moved_images(reference):
    """Images move as scipy moves them"""
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    images, moves = rng.standard_normal((40, 1, 6, 9)), rng.integers(-10, 11, (2, 40))

    found = reference.shifted(torch.from_numpy(images), *map(torch.from_numpy, moves)).numpy()

    for image, down, right, moved in zip(images, *moves, found, strict=True):
        expected = ndimage.shift(image[0], (down, right), order=0, cval=reference.PAPER, prefilter=False)
        np.testing.assert_array_equal(moved[0], expected)
    assert reference.shifted(torch.zeros(0, 1, 3, 3), *torch.zeros(2, 0, dtype=torch.int64)).shape == (0, 1, 3, 3)


def test_an_epoch_equals_the_plain_loop(reference):
    """Without moves train_epoch gives, bit for bit, the weights of the tutorial's loop over the same batches"""
    rng = np.random.default_rng(1)
    X = torch.from_numpy(rng.standard_normal((50, 1, 8, 8), np.float32))
    y = torch.from_numpy(rng.integers(0, 10, 50))
    models = [reference.build_model(5, (3, 4), 6, 8) for _ in range(2)]
    optimizers = [torch.optim.Adam(model.parameters(), lr=0.01) for model in models]
    state = torch.get_rng_state()
    total = 0.0

    found = reference.train_epoch(models[0], X, y, optimizers[0], 16, 2, 1)

    for rows in reference.batches(50, 16, 2, 1):
        optimizers[1].zero_grad()
        loss = torch.nn.CrossEntropyLoss()(models[1](X[rows]), y[rows])
        loss.backward()
        optimizers[1].step()
        total += loss.item() * len(rows) / 50
    assert found == pytest.approx(total, rel=1e-6)
    assert torch.equal(torch.get_rng_state(), state)
    for mine, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("style", sorted(path.stem for path in OTHERS.glob("*.py")))
def test_other_solutions(style):
    """Correct code written in another way gets all points, the real run on the subset included"""
    found = outcomes((OTHERS / f"{style}.py").read_bytes(), data.subset())

    assert {(outcome.name, outcome.message) for outcome in found if outcome.status != "passed"} == set()
    assert sum(outcome.score for outcome in found) == pytest.approx(25.0)


@pytest.mark.slow
def test_weights_that_are_brought_along_are_worth_nothing():
    """A run that learns the names of the digits wrongly scores nothing, is told how many are read, and does not train longer"""
    code = PATH.read_bytes() + (
        b"\n\n_right = run\n\n\ndef run(train_images, train_labels, epochs=2, **options):\n"
        b"    labels = np.roll(read_idx(train_labels), 1)\n"
        b"    head = bytes([0, 0, 8, 1]) + np.array(labels.shape, '>u4').tobytes()\n"
        b"    return _right(train_images, head + labels.tobytes(), epochs, **options)\n"
    )
    small = data.subset()
    arrays = [part[:300] for pair in (small.train, small.test) for part in pair]
    few = data.Digits(False, small.place, tuple(data.as_idx(np.ascontiguousarray(part)) for part in arrays))

    [outcome] = outcomes(code, few, "real_digits")

    assert (outcome.status, outcome.score) == ("failed", 0.0)
    assert "of the test digits are read" in outcome.message
    assert re.findall(r"after (\d+) epochs", outcome.message) == ["2"]


@pytest.mark.full_data
def test_full_data():
    """The reference reaches 98.5 % on the full set in two epochs, in a worker, on digits made unknown"""
    digits = data.find()
    assert digits.full, "run `nnkit fetch-data mnist` first"

    [outcome] = outcomes(PATH.read_bytes(), digits, "real_digits")

    assert outcome.status == "passed", outcome.message
    assert "after 2 epochs on the full set" in outcome.message
    print(outcome.message)
