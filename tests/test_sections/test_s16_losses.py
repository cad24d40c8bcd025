"""Section 16's reference agrees with torch's losses and its autograd, with scipy, and with exact arithmetic."""

import importlib.util
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")
torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s16_losses" / "losses.py"
SHAPES = [(), (1,), (7,), (4, 4), (2, 3, 5)]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s16", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(16)


def theirs(name):
    """Torch's function of the same meaning."""
    functional = torch.nn.functional
    return {
        "mse": functional.mse_loss,
        "mae": functional.l1_loss,
        "bce": functional.binary_cross_entropy,
        "bce_logits": functional.binary_cross_entropy_with_logits,
        "cce": functional.cross_entropy,
    }[name]


def drawn(rng, name, shape):
    y = rng.uniform(0, 1, shape) if name.startswith("bce") else rng.normal(0, 3, shape)
    return np.array(rng.uniform(0.01, 0.99, shape) if name == "bce" else rng.normal(0, 3, shape)), np.array(y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["mse", "mae", "bce", "bce_logits"])
def test_element_losses_agree_with_torch(reference, rng, name, shape, dtype):
    for _ in range(20):
        pred, y = (values.astype(dtype) for values in drawn(rng, name, shape))
        leaf = torch.tensor(pred, requires_grad=True)
        loss = theirs(name)(leaf, torch.tensor(y))
        loss.backward()

        # Means of at most 30 terms of one sign, a few roundings each.
        tolerance = {"rtol": 32 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
        np.testing.assert_allclose(reference.__dict__[name](pred, y), loss.item(), **tolerance)
        if name != "bce":
            gradient = reference.__dict__[f"{name}_grad"](pred, y)
            assert (gradient.dtype, np.shape(gradient)) == (dtype, shape)
            np.testing.assert_allclose(gradient, leaf.grad.numpy(), **tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["labels", "one-hot", "soft"])
@pytest.mark.parametrize(("n", "classes"), [(1, 2), (5, 5), (9, 3), (4, 7)])
def test_categorical_agrees_with_torch(reference, rng, n, classes, form, dtype):
    for _ in range(20):
        logits, labels = rng.normal(0, 3, (n, classes)).astype(dtype), rng.integers(0, classes, n)
        rows = rng.dirichlet(np.ones(classes), n) if form == "soft" else np.eye(classes)[labels]
        y = labels if form == "labels" else rows.astype(dtype)
        leaf = torch.tensor(logits, requires_grad=True)
        loss = theirs("cce")(leaf, torch.tensor(y))
        loss.backward()

        # Scores of up to 12 cancel in the logarithm.
        tolerance = {"rtol": 32 * np.finfo(dtype).eps, "atol": 32 * np.finfo(dtype).eps}
        np.testing.assert_allclose(reference.cce(logits, y), loss.item(), **tolerance)
        gradient = reference.cce_grad(logits, y)
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), **tolerance)


def test_extremes_agree_with_scipy_and_torch(reference, rng):
    z, y = rng.uniform(-2000, 2000, 50), rng.integers(0, 2, 50)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, gradient = reference.bce_logits(z, y), reference.bce_logits_grad(z, y)
        logits = rng.normal(0, 1000, (6, 4))
        categorical, slopes = reference.cce(logits, y[:6]), reference.cce_grad(logits, y[:6])

    np.testing.assert_allclose(loss, np.mean(-special.log_expit(np.where(y, z, -z))), rtol=1e-14)
    np.testing.assert_allclose(gradient, (special.expit(z) - y) / 50, rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(categorical, -special.log_softmax(logits, axis=1)[range(6), y[:6]].mean(), rtol=1e-13)
    np.testing.assert_allclose(slopes, (special.softmax(logits, axis=1) - np.eye(4)[y[:6]]) / 6, atol=1e-12)


def test_bce_logits_agrees_with_exact_arithmetic(reference, rng):
    for z in rng.uniform(-60, 60, 60).tolist():
        with localcontext() as context:
            context.prec = 50
            exact = float((1 + (-Decimal(z)).exp()).ln())
        assert reference.bce_logits(np.array([z]), np.array([1.0])) == pytest.approx(exact, rel=1e-14)


def test_convention_at_the_kink_is_torchs(reference):
    leaf = torch.ones(3, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.l1_loss(leaf, torch.ones(3, dtype=torch.float64)).backward()

    assert reference.mae_grad(np.ones(3), np.ones(3)).tolist() == leaf.grad.tolist() == [0, 0, 0]


def test_best_constants(reference, rng):
    y = np.append(rng.normal(0, 1, 20), 100)
    constants = np.linspace(-3, 8, 2201)
    for loss, statistic in ((reference.mse, np.mean), (reference.mae, np.median)):
        best = constants[np.argmin([loss(np.full(21, c), y) for c in constants])]
        assert abs(best - statistic(y)) <= 0.005


def test_numbers_of_the_lesson(reference):
    one, zero, both = np.array([1.0]), np.array([0.0]), np.array([1.0, 1.0])
    np.testing.assert_allclose(reference.bce(np.array([0.9, 0.2]), np.array([1, 0])), 0.1643, atol=5e-5)
    np.testing.assert_allclose(reference.bce(np.array([0.01]), one), 4.6052, atol=5e-5)
    np.testing.assert_allclose(reference.bce(zero, one), 27.631, atol=5e-4)
    np.testing.assert_allclose(reference.bce_logits(np.array([2.0, -1.0]), both), 0.7201, atol=5e-5)
    np.testing.assert_allclose(reference.bce_logits_grad(np.array([2.0, -1.0]), both), [-0.0596, -0.3655], atol=5e-5)
    logits = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(reference.cce(logits, np.array([2, 0])), 0.7531, atol=5e-5)
    rows = 2 * reference.cce_grad(logits, np.array([2, 0]))
    np.testing.assert_allclose(rows, [[0.09, 0.2447, -0.3348], [-0.6667, 0.3333, 0.3333]], atol=5e-5)
    assert -np.log(1e-9) == pytest.approx(20.7, abs=0.05)  # the cap
    assert (np.mean([1, 2, 3, 4, 90]), np.median([1, 2, 3, 4, 90])) == (20, 3)
    # The quiz: a second softmax over ten classes gives at most e / (e + 9).
    twice = special.softmax(special.softmax(np.array([900.0] + [0.0] * 9)))
    assert (round(twice[0], 2), round(-np.log(twice[0]), 2)) == (0.23, 1.46)
    np.testing.assert_allclose(special.softmax([3.0, 0.0]), [0.95, 0.05], atol=5e-3)
    np.testing.assert_allclose(special.softmax(special.softmax([3.0, 0.0])), [0.71, 0.29], atol=5e-3)
