"""Section 13's reference agrees with torch, its autograd, and exact arithmetic."""

import importlib.util
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s13_relu" / "relu.py"
SHAPES = [(), (0,), (7,), (4, 4), (2, 3, 5)]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s13", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(13)


def theirs(name, parameter):
    """Torch's function of that name."""
    functional = torch.nn.functional
    return {
        "relu": functional.relu,
        "leaky_relu": lambda x: functional.leaky_relu(x, parameter),
        "elu": lambda x: functional.elu(x, parameter),
    }[name]


def arguments(name, parameter):
    return () if name == "relu" else (parameter,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
def test_values_and_gradients_agree_with_torch(reference, rng, name, shape, dtype):
    # Torch wants a slope or alpha of its own kind; both functions take any positive number.
    parameter = float(rng.uniform(0.1, 3))
    x = np.array(rng.normal(0, 3, shape), dtype)
    upstream = np.array(rng.standard_normal(shape), dtype)
    leaf = torch.tensor(x, requires_grad=True)
    out = theirs(name, parameter)(leaf)
    out.backward(torch.tensor(upstream))

    value = reference.__dict__[name](x, *arguments(name, parameter))
    gradient = reference.__dict__[f"{name}_backward"](x, upstream, *arguments(name, parameter))

    assert value.dtype == gradient.dtype == dtype
    assert np.shape(value) == np.shape(gradient) == shape
    # One exponential and two products; torch takes the slope of elu as elu(x) + alpha, which leaves a rounding of alpha.
    tolerance = {"rtol": 16 * np.finfo(dtype).eps, "atol": 32 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, out.detach().numpy(), **tolerance)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), **tolerance)


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0.0), ("leaky_relu", 0.3), ("elu", 1.7)])
def test_conventions_at_zero_are_torchs(reference, name, at_zero):
    leaf = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    theirs(name, at_zero)(leaf).backward(torch.ones(1, dtype=torch.float64))

    yours = reference.__dict__[f"{name}_backward"](np.zeros(1), np.ones(1), *arguments(name, at_zero))
    assert leaf.grad.item() == at_zero
    assert yours.tolist() == [at_zero]


def test_ends_of_the_number_line(reference):
    x = np.array([-np.inf, -1e308, -5e-324, -0.0, 0.0, 5e-324, 1e308, np.inf, np.nan])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(reference.relu(x), [0, 0, 0, 0, 0, 5e-324, 1e308, np.inf, np.nan])
        np.testing.assert_array_equal(reference.elu(x), [-1, -1, -5e-324, 0, 0, 5e-324, 1e308, np.inf, np.nan])
        np.testing.assert_array_equal(reference.leaky_relu(x[[0, 3, 6, 7, 8]]), [-np.inf, 0, 1e308, np.inf, np.nan])
        np.testing.assert_array_equal(reference.elu_backward(x[:8], np.ones(8)), [0, 0, 1, 1, 1, 1, 1, 1])


def test_elu_agrees_with_exact_arithmetic(reference, rng):
    x = -(10.0 ** rng.uniform(-15, 2, 200))
    with localcontext() as context:
        context.prec = 50
        expected = [float(Decimal(value).exp() - 1) for value in x.tolist()]

    # expm1 is right to about one rounding.
    np.testing.assert_allclose(reference.elu(x), expected, rtol=8e-16)


def test_activity_agrees_with_counting(reference, rng):
    for samples, units in [(1, 1), (1, 6), (5, 1), (6, 9), (8, 8)]:
        H = rng.standard_normal((samples, units)) * (rng.random((samples, units)) < 0.4)
        dead = [k for k in range(units) if not any(H[n, k] for n in range(samples))]

        found = reference.activity(H)
        assert found["dead"].tolist() == dead
        assert found["dead"].dtype == np.int64
        assert found["sparsity"] == pytest.approx(sum(not value for value in H.flat) / H.size)


def test_numbers_of_the_lesson(reference):
    x = np.array([-2.0, -1.0, 0.0, 3.0])
    one = np.ones(4)
    np.testing.assert_allclose(reference.elu(x), [-0.8647, -0.6321, 0, 3], atol=5e-5)
    np.testing.assert_allclose(reference.elu_backward(x, one), [0.1353, 0.3679, 1, 1], atol=5e-5)
    np.testing.assert_allclose(reference.leaky_relu(x), [-0.02, -0.01, 0, 3])
    np.testing.assert_allclose(reference.elu_backward(np.array([-10.0]), one[:1]), 5e-5, rtol=0.1)
    found = reference.activity(np.array([[0, 2, 0], [0, 0, 1]]))
    assert (round(found["sparsity"], 3), found["dead"].tolist()) == (0.667, [0])
