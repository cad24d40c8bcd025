"""Section 12's reference agrees with scipy, with torch's autograd and with exact arithmetic."""

import importlib.util
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")
torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s12_sigmoid" / "sigmoid.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s12", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def exact_sigmoid(x):
    """To 50 digits."""
    with localcontext() as context:
        context.prec = 50
        return 1 / (1 + (-Decimal(x)).exp())


def test_sigmoid_agrees_with_exact_arithmetic(reference, rng):
    x = np.concatenate([rng.uniform(-700, 700, 200), rng.uniform(-40, 40, 200)])
    expected = [float(exact_sigmoid(value)) for value in x.tolist()]

    # Four roundings: exp, sum, quotient, and the exact value's own.
    np.testing.assert_allclose(reference.sigmoid(x), expected, rtol=8e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_agrees_with_scipy(reference, rng, dtype):
    x = np.concatenate([rng.uniform(-80, 80, 300), [np.inf, -np.inf, np.nan, 0.0, -0.0]]).astype(dtype)
    yours = reference.sigmoid(x)

    assert yours.dtype == dtype
    # exp of |x| <= 80 is right to 2 eps in scipy and here; 16 leaves room for another build of either.
    np.testing.assert_allclose(yours, special.expit(x), rtol=16 * np.finfo(dtype).eps)


def test_no_flag_but_underflow_goes_up(reference):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        ends = reference.sigmoid(np.array([-np.inf, -1e308, -1000.0, 1000.0, 1e308, np.inf]))

    assert ends.tolist() == [0, 0, 0, 1, 1, 1]


def test_one_is_reached_where_the_lesson_says(reference):
    assert reference.sigmoid(np.array([38.0])).tolist() == [1.0]
    assert reference.sigmoid(np.array([18.0], np.float32)).tolist() == [1.0]
    # Correct rounding gives 1 from here on, because half a step below 1 is 5.6e-17 and 3.0e-8.
    assert 1 - exact_sigmoid(38) < Decimal(2) ** -54 < 1 - exact_sigmoid(37)
    assert 1 - exact_sigmoid(18) < Decimal(2) ** -25 < 1 - exact_sigmoid(17)


def test_slope_agrees_with_autograd(reference, rng):
    x = torch.tensor(rng.uniform(-30, 30, (5, 7)), requires_grad=True)
    upstream = torch.tensor(rng.standard_normal((5, 7)))
    torch.sigmoid(x).backward(upstream)

    yours = upstream.numpy() * reference.sigmoid_grad(reference.sigmoid(x.detach().numpy()))
    # 1 - a is rounded by 1e-16 where the slope is 1e-13: absolute error.
    np.testing.assert_allclose(yours, x.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_logit_agrees_with_scipy(reference, rng):
    p = np.concatenate(
        [10.0 ** rng.uniform(-307, -1, 100), 1 - 10.0 ** rng.uniform(-15, -1, 100), rng.uniform(0, 1, 99)]
    )

    np.testing.assert_allclose(reference.logit(p), special.logit(p), rtol=1e-13, atol=1e-15)
    with np.errstate(all="raise"):
        assert reference.logit(np.array([0, 1])).tolist() == [-math.inf, math.inf]


def test_saturated_share_agrees_with_the_quadratic_equation(reference, rng):
    x = rng.uniform(-9, 9, (40, 50))
    for tol in (0.001, 0.01, 0.1, 0.2):
        edge = -special.logit((1 - math.sqrt(1 - 4 * tol)) / 2)

        assert reference.saturated_fraction(x, tol) == pytest.approx(np.mean(np.abs(x) > edge), abs=1e-12)
    assert reference.saturated_fraction(x, 0.3) == 1.0


@pytest.mark.parametrize("w", [1.0, 3.5, -2.25])
def test_chain_agrees_with_autograd(reference, rng, w):
    start = float(rng.uniform(-2, 2))
    expected = []
    for depth in range(1, 9):
        x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        a = x
        for _ in range(depth):
            a = torch.sigmoid(w * a)
        a.backward()
        expected.append(abs(x.grad.item()))

    np.testing.assert_allclose(reference.chain_slopes(start, 8, w), expected, rtol=1e-12)


def test_numbers_of_the_lesson(reference):
    x = np.array([0.0, 2.0, -2.0, 5.0, 10.0])
    a = reference.sigmoid(x)
    np.testing.assert_allclose(a, [0.5, 0.8808, 0.1192, 0.9933, 0.99995], atol=5e-5)
    np.testing.assert_allclose(reference.sigmoid_grad(a), [0.25, 0.1050, 0.1050, 0.0066, 0.000045], atol=5e-5)
    np.testing.assert_allclose(reference.sigmoid(-30.0), 9.4e-14, rtol=0.01)
    np.testing.assert_allclose(reference.chain_slopes(0.0, 10)[-1], 4e-7, rtol=0.05)
    np.testing.assert_allclose(reference.chain_slopes(0.0, 10, 8.0)[[0, -1]], [2, 9e-22], rtol=0.05)
