"""Section 23's reference agrees with torch's dropout, its autograd, exact enumeration, and the lesson's numbers."""

import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s23_dropout" / "dropout.py"
SHAPES = [(), (0,), (7,), (4, 4), (2, 3, 5)]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s23", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(23)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_is_torchs_with_torchs_own_mask(reference, rng, shape, p, dtype):
    x = np.array(rng.uniform(0.5, 2, shape), dtype)
    upstream = np.array(rng.standard_normal(shape), dtype)
    leaf = torch.tensor(x, requires_grad=True)
    out = torch.nn.functional.dropout(leaf, p, training=True)
    out.backward(torch.tensor(upstream))
    u = np.where(out.detach().numpy() == 0, p / 2, (1 + p) / 2)  # uniforms that choose what torch has chosen

    value = reference.dropout(x, p, u, training=True)
    gradient = reference.dropout_backward(upstream, p, u, training=True)

    assert value.dtype == gradient.dtype == dtype
    assert np.shape(value) == np.shape(gradient) == shape
    # torch multiplies by 1 / (1 - p): one rounding more, and p itself may have been rounded.
    rtol = 8 * np.finfo(dtype).eps / (1 - p)
    np.testing.assert_allclose(value, out.detach().numpy(), rtol=rtol)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=rtol)


@pytest.mark.parametrize("shape", SHAPES)
def test_test_time_is_torchs(reference, rng, shape):
    x, u = np.array(rng.standard_normal(shape)), np.array(rng.random(shape))
    theirs = torch.nn.functional.dropout(torch.tensor(x), 0.4, training=False).numpy()

    np.testing.assert_array_equal(reference.dropout(x, 0.4, u, training=False), theirs)
    np.testing.assert_array_equal(reference.dropout_backward(x, 0.4, u, training=False), theirs)


@pytest.mark.parametrize("training", [True, False])
def test_gradient_agrees_with_differences(reference, rng, training):
    x, upstream, u, h = rng.standard_normal(12), rng.standard_normal(12), rng.random(12), 1e-4
    slopes = [
        upstream
        @ (
            reference.dropout(x + h * unit, 0.3, u, training=training)
            - reference.dropout(x - h * unit, 0.3, u, training=training)
        )
        / (2 * h)
        for unit in np.eye(12)
    ]

    # A linear function: what is lost is the rounding of the differences, 1e-15 / h.
    np.testing.assert_allclose(reference.dropout_backward(upstream, 0.3, u, training=training), slopes, atol=1e-10)


@pytest.mark.parametrize("name", ["dropout", "classic_dropout"])
def test_mean_over_all_subnetworks_is_test_time(reference, rng, name):
    units, p = 6, 0.3
    x, drop, keep = rng.standard_normal(units), np.full(units, p / 2), np.full(units, (1 + p) / 2)
    function, mean, count = getattr(reference, name), np.zeros(units), 0
    for mask in itertools.product([False, True], repeat=units):
        probability = math.prod(1 - p if kept else p for kept in mask)
        mean += probability * function(x, p, np.where(mask, keep, drop), training=True)
        count += 1

    assert reference.count_subnetworks(units) == count
    np.testing.assert_allclose(mean, function(x, p, keep, training=False), rtol=1e-13)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_seeded_masks_are_independent_throws(reference, p):
    dropped = np.array([reference.dropout_seeded(np.ones((4, 5)), p, seed) == 0 for seed in range(3000)])

    # How often each number of dropped units comes, against the binomial distribution.
    counts = np.bincount(dropped.sum(axis=(1, 2)), minlength=21)
    expected = 3000 * stats.binom.pmf(range(21), 20, p)
    common = expected > 5
    observed = np.append(counts[common], counts[~common].sum())
    assert stats.chisquare(observed, np.append(expected[common], expected[~common].sum())).pvalue > 1e-6
    # No two of the 20 places know of each other: correlations of 3000 pairs, five standard deviations.
    correlations = np.corrcoef(dropped.reshape(3000, 20).T)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(3000)


def test_seeds_repeat_and_global_state_stays(reference):
    x, before = np.ones((8, 9), np.float32), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (reference.dropout_seeded(x, 0.4, seed) for seed in (0, 0, 1))

    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_numbers_of_the_lesson(reference):
    x = np.array([[2.0, 4.0, 6.0], [8.0, 10.0, 1.0]])
    u = np.array([[0.9, 0.1, 0.2], [0.05, 0.55, 0.7]])
    upstream = np.array([[1.0, 2.0, 3.0], [4.0, -8.0, 0.4]])

    np.testing.assert_allclose(reference.dropout(x, 0.2, u, training=True), [[2.5, 0, 7.5], [0, 12.5, 1.25]])
    np.testing.assert_array_equal(reference.dropout(x, 0.2, u, training=False), x)
    np.testing.assert_allclose(reference.classic_dropout(x, 0.2, u, training=True), [[2, 0, 6], [0, 10, 1]])
    np.testing.assert_allclose(
        reference.classic_dropout(x, 0.2, u, training=False), [[1.6, 3.2, 4.8], [6.4, 8, 0.8]], rtol=1e-12
    )
    np.testing.assert_allclose(
        reference.dropout_backward(upstream, 0.2, u, training=True), [[1.25, 0, 3.75], [0, -10, 0.5]]
    )
    assert reference.count_subnetworks(3) == 8
    assert stats.binom(100, 0.2).std() == pytest.approx(4)
    assert stats.binom(1000, 0.5).std() == pytest.approx(15.8, abs=0.05)


def test_limits_of_the_hidden_suite_are_quantiles():
    # test_counts_are_binomial: the variance of 150 or 200 counts.
    for freedom in (149, 199):
        ratio = stats.chi2(freedom)
        assert ratio.cdf(0.52 * freedom) < 3e-7
        assert ratio.sf(1.7 * freedom) < 3e-7


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["dropout", "dropout_backward", "classic_dropout"])
def test_bad_input_is_refused(reference, rng, name, training):
    x, function = rng.standard_normal((3, 4)), getattr(reference, name)
    for p in (-1e-9, 1.0, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"\bp\b"):
            function(x, p, rng.random((3, 4)), training=training)
        with pytest.raises(ValueError, match=r"\bp\b"):
            reference.dropout_seeded(x, p, 1)
    for shape in ((4,), (3, 1), (4, 3), (12,), ()):
        with pytest.raises(ValueError, match=r"\bu\b"):
            function(x, 0.3, np.array(rng.random(shape)), training=training)
