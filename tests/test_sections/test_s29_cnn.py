"""Section 29's reference agrees with torch's convolution, pooling and autograd, with scipy's correlation, and with the lesson."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

signal = pytest.importorskip("scipy.signal")
torch = pytest.importorskip("torch")
functional = torch.nn.functional

FILE = Path(__file__).parents[2] / "solutions" / "s29_cnn" / "cnn.py"
# Sums of up to 50 products of numbers of size 1.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s29", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(29)


def settings(rng, count):
    """Images, filters, biases, stride and padding of all sizes that fit."""
    for _ in range(count):
        kernel, padding = rng.integers(1, 5, 2), int(rng.integers(0, 4))
        size = np.maximum(kernel + rng.integers(0, 6, 2) - padding, 1)
        n, channels, filters = rng.integers(1, 5, 3)
        x, w = rng.standard_normal((n, channels, *size)), rng.standard_normal((filters, channels, *kernel))
        yield x, w, rng.standard_normal(filters), int(rng.integers(1, 5)), padding


def test_convolution_and_its_gradients_agree_with_torch(reference, rng):
    for x, w, b, stride, padding in settings(rng, 100):
        leaves = [torch.tensor(array, requires_grad=True) for array in (x, w, b)]
        out = functional.conv2d(*leaves, stride=stride, padding=padding)
        upstream = rng.standard_normal(out.shape)
        out.backward(torch.tensor(upstream))

        np.testing.assert_allclose(reference.conv2d(x, w, b, stride, padding), out.detach(), **CLOSE)
        found = reference.conv2d_backward(upstream, x, w, stride, padding)
        for yours, leaf in zip(found, leaves, strict=True):
            np.testing.assert_allclose(yours, leaf.grad, **CLOSE)


def test_convolution_agrees_with_scipys_correlation(reference, rng):
    x, w = rng.standard_normal((3, 2, 7, 9)), rng.standard_normal((4, 2, 3, 2))
    found = reference.conv2d(x, w, np.zeros(4))
    for n, o in np.ndindex(3, 4):
        expected = sum(signal.correlate2d(x[n, c], w[o, c], mode="valid") for c in range(2))
        np.testing.assert_allclose(found[n, o], expected, **CLOSE)
        # What mathematics calls convolution turns the kernel round, as the lesson says.
        turned = sum(signal.convolve2d(x[n, c], w[o, c, ::-1, ::-1], mode="valid") for c in range(2))
        np.testing.assert_allclose(found[n, o], turned, **CLOSE)


def test_gradients_agree_with_finite_differences(reference, rng):
    x, w, b = rng.standard_normal((2, 2, 4, 5)), rng.standard_normal((3, 2, 2, 3)), rng.standard_normal(3)
    upstream = rng.standard_normal(reference.conv2d(x, w, b, 2, 1).shape)
    found = reference.conv2d_backward(upstream, x, w, 2, 1)
    for array, gradient in zip((x, w, b), found, strict=True):
        for place in np.ndindex(array.shape):
            kept, values = array[place], []
            for step in (1e-6, -1e-6):
                array[place] = kept + step
                values.append(np.sum(upstream * reference.conv2d(x, w, b, 2, 1)))
            array[place] = kept
            # Linear in each entry, so only rounding is left: sums of size 10, right to 1e-15, over 2e-6.
            assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (2, 2), (3, 2), (3, 1), (2, 3), (4, 5)])
def test_pooling_and_its_gradient_agree_with_torch(reference, rng, k, stride):
    few, many = rng.integers(-2, 1, (3, 2, 9, 11)) / 2, rng.standard_normal((3, 2, 9, 11))
    for x in (np.zeros((3, 2, 9, 11)), few, many, -np.abs(many)):  # torch gives ties to the first maximum too
        leaf = torch.tensor(x, requires_grad=True)
        out = functional.max_pool2d(leaf, k, stride)
        upstream = rng.standard_normal(out.shape)
        out.backward(torch.tensor(upstream))

        np.testing.assert_array_equal(reference.max_pool2d(x, k, stride), out.detach())
        np.testing.assert_allclose(reference.max_pool2d_backward(upstream, x, k, stride), leaf.grad, **CLOSE)


def test_sizes_agree_with_torch(reference):
    for n, k, stride, padding in itertools.product(range(1, 12), range(1, 6), range(1, 5), range(3)):
        if k <= n + 2 * padding:
            out = functional.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=stride, padding=padding)
            assert reference.output_size(n, k, stride, padding) == out.shape[2]
        else:
            with pytest.raises(ValueError, match="kernel"):
                reference.output_size(n, k, stride, padding)


def built(shape, specs):
    """The same network in torch: shapes after every layer and parameters."""
    image, found = torch.zeros(1, *shape), []
    for spec in specs:
        layer = {
            "conv": lambda s, c: torch.nn.Conv2d(c, s["filters"], s["kernel"], s["stride"], s["padding"]),
            "pool": lambda s, _: torch.nn.MaxPool2d(s["kernel"], s["stride"]),
            "relu": lambda *_: torch.nn.ReLU(),
            "flatten": lambda *_: torch.nn.Flatten(),
            "dense": lambda s, width: torch.nn.Linear(width, s["units"]),
        }[spec["kind"]](spec, image.shape[1])
        image = layer(image)
        found.append({"shape": tuple(image.shape[1:]), "params": sum(p.numel() for p in layer.parameters())})
    return found


def conv(filters, kernel, stride=1, padding=0):
    return {"kind": "conv", "filters": filters, "kernel": kernel, "stride": stride, "padding": padding}


POOL, RELU, FLATTEN = {"kind": "pool", "kernel": 2, "stride": 2}, {"kind": "relu"}, {"kind": "flatten"}
DENSE, OUT = {"kind": "dense", "units": 128}, {"kind": "dense", "units": 10}


@pytest.mark.parametrize(
    ("padding", "pools", "total"), [(1, 1, 1_625_866), (0, 1, 1_011_466), (1, 2, 421_642), (0, 2, 225_034)]
)
def test_pictured_network_agrees_with_torch_and_with_the_lesson(reference, padding, pools, total):
    first, second = [conv(32, 3, 1, padding), RELU, POOL], [conv(64, 3, 1, padding), RELU, *[POOL] * (pools - 1)]
    specs = [*first, *second, FLATTEN, DENSE, RELU, OUT]
    trace = reference.trace_cnn((1, 28, 28), specs)

    assert trace == built((1, 28, 28), specs)
    assert sum(entry["params"] for entry in trace) == total


def test_traces_agree_with_torch(reference, rng):
    for _ in range(20):
        first, pool, second = (int(n) for n in rng.integers(1, 6, 3))
        specs = [
            conv(int(rng.integers(1, 9)), first, int(rng.integers(1, 4)), int(rng.integers(0, 3))),
            RELU,
            {"kind": "pool", "kernel": pool, "stride": int(rng.integers(1, 4))},
            conv(int(rng.integers(1, 9)), second, 1, 2),
            FLATTEN,
            DENSE,
            OUT,
        ]
        shape = (3, int(rng.integers(24, 30)), int(rng.integers(30, 36)))
        assert reference.trace_cnn(shape, specs) == built(shape, specs)


def test_float32_stays_within_the_bound_of_the_suite(reference, rng):
    for x, w, b, stride, padding in settings(rng, 30):
        narrow = [array.astype(np.float32) for array in (x, w, b)]
        exact = functional.conv2d(*(torch.tensor(a.astype(np.float64)) for a in narrow), stride=stride, padding=padding)
        found = reference.conv2d(*narrow, stride, padding)

        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, atol=16 * np.finfo(np.float32).eps * np.sqrt(w[0].size) * 4)


def test_numbers_of_the_lesson(reference):
    entries = reference.trace_cnn((1, 28, 28), [conv(32, 3, 1, 1), POOL, conv(64, 3, 1, 1), FLATTEN, DENSE, OUT])
    assert [entry["params"] for entry in entries] == [320, 0, 18_496, 0, 1_605_760, 1_290]
    assert entries[4]["params"] / sum(entry["params"] for entry in entries) == pytest.approx(0.99, abs=0.005)
    # Every weight of the second convolution is used at every position, every weight of the dense layer once.
    assert (entries[2]["params"] - 64) * 14 * 14 == pytest.approx(3.6e6, rel=0.01)
    assert entries[4]["params"] - 128 == pytest.approx(1.6e6, rel=0.01)
    assert reference.trace_cnn((3, 224, 224), [FLATTEN])[0]["shape"] == (150_528,)
