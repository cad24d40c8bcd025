"""Section 14: the reference against scipy, torch and exact arithmetic."""

import importlib.util
import itertools
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")
torch = pytest.importorskip("torch")

SOLUTION = Path(__file__).parents[2] / "solutions" / "s14_tanh_softmax" / "tanh_softmax.py"
CASES = [(s, a) for s in [(4,), (3, 3), (2, 5), (2, 3, 4), (2, 3, 4, 5)] for a in range(-len(s), len(s))]


@pytest.fixture(scope="module")
def ours():
    spec = importlib.util.spec_from_file_location("s14_reference", SOLUTION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(14)


def exact_tanh(x: float) -> float:
    with localcontext() as context:
        context.prec = 60
        rise, fall = Decimal(x).exp(), (-Decimal(x)).exp()
        return float((rise - fall) / (rise + fall))


def test_tanh_is_within_4_ulp_of_60_digits(ours, rng):
    x = np.concatenate([10.0 ** rng.uniform(-15, 2.9, 200), [800.0]])
    x = np.concatenate([x, -x])

    np.testing.assert_array_max_ulp(ours.tanh(x), np.array([exact_tanh(v) for v in x.tolist()]), maxulp=4)


def test_tanh_of_zeros_infinities_nan_and_1e_300(ours):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300])

    np.testing.assert_array_equal(ours.tanh(x), [0.0, -0.0, 1.0, -1.0, np.nan, 1e-300])
    assert np.signbit(ours.tanh(x)[1])


@pytest.mark.parametrize(("shape", "axis"), CASES)
def test_softmax_and_log_softmax_agree_with_scipy(ours, rng, shape, axis):
    x = 300 * rng.standard_normal(shape)

    np.testing.assert_allclose(ours.softmax(x, axis), special.softmax(x, axis), rtol=1e-13)
    np.testing.assert_allclose(ours.softmax(x, axis, 2.5), special.softmax(x / 2.5, axis), rtol=2e-13)
    np.testing.assert_allclose(ours.log_softmax(x, axis), special.log_softmax(x, axis), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("shape", "axis"), CASES)
def test_gradients_agree_with_torch(ours, rng, shape, axis):
    x, upstream = rng.standard_normal((2, *shape))
    t = torch.tensor(x, requires_grad=True)
    torch.softmax(t, axis).backward(torch.tensor(upstream))

    np.testing.assert_allclose(ours.softmax_backward(ours.softmax(x, axis), upstream, axis), t.grad.numpy(), atol=1e-14)
    t.grad = None
    torch.tanh(t).backward(torch.tensor(upstream))
    np.testing.assert_allclose(ours.tanh_grad(ours.tanh(x)) * upstream, t.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "tanh_grad", "softmax", "log_softmax"])
def test_dtypes(ours, name):
    function = getattr(ours, name)

    for given, wanted in itertools.product([(2, 3), (1, 1)], [("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("?", "f8")]):
        assert function(np.ones(given, wanted[0])).dtype == wanted[1]


def test_nothing_is_raised_by_extreme_scores(ours):
    x = np.array([[0.0, 0.0, -np.inf], [1e308, -1e307, 0.0], [-1e4, -2e4, -3e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(ours.softmax(x), special.softmax(x, -1))
        np.testing.assert_allclose(ours.log_softmax(x), special.log_softmax(x, -1))


@pytest.mark.parametrize(
    ("x", "options", "named"),
    [
        (np.zeros(3), {"temperature": 0.0}, "temperature"),
        (np.zeros(3), {"temperature": -1.0}, "temperature"),
        (np.zeros(3), {"temperature": np.nan}, "temperature"),
        (np.zeros(3), {"axis": 1}, "axis"),
        (np.zeros((2, 3)), {"axis": -3}, "axis"),
        (np.array([[0.0, 1.0], [-np.inf, -np.inf]]), {}, "x"),
    ],
)
def test_bad_input_is_refused(ours, x, options, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        ours.softmax(x, **options)
