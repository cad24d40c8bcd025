"""Section 11's reference agrees with torch, with exact arithmetic and with what is known of its functions."""

import importlib.util
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
special = pytest.importorskip("scipy.special")

FILE = Path(__file__).parents[2] / "solutions" / "s11_activations" / "activations.py"
functional = torch.nn.functional
TORCHS = {
    "identity": torch.nn.Identity(),
    "step": lambda x: torch.where(x.isnan(), x, (x >= 0).to(x.dtype)),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "gelu": functional.gelu,
}


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s11", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (4, 4), (2, 3, 5)])
@pytest.mark.parametrize("name", TORCHS)
def test_activations_agree_with_torch(reference, rng, name, shape, dtype):
    x = np.array(rng.normal(0, 3, shape), dtype)
    yours = reference.activation(name, x)

    assert yours.dtype == dtype
    assert np.shape(yours) == shape
    # A handful of operations; what gelu and elu take from 1 is lost absolutely.
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(yours, TORCHS[name](torch.tensor(x)).numpy(), rtol=16 * eps, atol=16 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TORCHS)
def test_nothing_overflows_and_nan_stays(reference, name, dtype):
    x = np.array([-1000.0, -750.0, -100.0, -1.0, -0.0, 0.0, 1.0, 100.0, 710.0, 1000.0, np.nan], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yours = reference.activation(name, x)

    expected = TORCHS[name](torch.tensor(x)).numpy()
    np.testing.assert_allclose(yours, expected, rtol=1e-6, atol=np.finfo(dtype).eps)
    assert np.isnan(yours).tolist() == [False] * 10 + [True]


def test_given_erf_is_scipys(reference, rng):
    x = rng.normal(0, 2, (3, 50))
    np.testing.assert_allclose(reference.erf(x), special.erf(x), rtol=1e-15)
    np.testing.assert_allclose(reference.activation("gelu", x), x * special.ndtr(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("widths", [(2, 3), (4, 4, 4), (3, 5, 2, 7), (1, 3, 5, 7, 5, 3, 1)])
def test_collapse_agrees_with_torchs_linear_layers(reference, rng, widths):
    layers = [(rng.standard_normal((o, i)), rng.standard_normal(o)) for i, o in pairwise(widths)]
    modules = []
    for W, b in layers:
        module = torch.nn.Linear(*reversed(W.shape), dtype=torch.float64)
        module.load_state_dict({"weight": torch.tensor(W), "bias": torch.tensor(b)})
        modules.append(module)
    network = torch.nn.Sequential(*modules)
    X = rng.standard_normal((11, widths[0]))

    W, b = reference.collapse_linear(layers)
    np.testing.assert_allclose(X @ W.T + b, network(torch.tensor(X)).detach().numpy(), rtol=1e-10, atol=1e-11)
    # The slope of the network is W, wherever it is taken.
    slope = torch.autograd.functional.jacobian(network, torch.tensor(X[0]))
    np.testing.assert_allclose(W, slope.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", TORCHS)
def test_only_the_identity_is_affine(reference, rng, name):
    W = rng.standard_normal((3, 4))
    for seed in range(30):
        assert reference.is_affine(lambda X: reference.activation(name, X @ W.T - 2), 4, seed) is (name == "identity")


def test_affinity_is_not_a_matter_of_size(reference):
    for seed in range(100):
        for size in (1e-200, 1.0, 1e200):
            assert reference.is_affine(lambda X, size=size: size * (X + 1), 2, seed)
            assert not reference.is_affine(lambda X, size=size: size * X * X, 1, seed)
        assert reference.is_affine(lambda X: X + 1e12, 1, seed)
        assert reference.is_affine(np.zeros_like, 3, seed)
        assert not reference.is_affine(lambda X: np.where(X < 0, np.nan, X), 1, seed)


@pytest.mark.parametrize(("name", "n_hidden", "low", "high"), [("identity", 50, 0.42, 0.43), ("relu", 50, 1e-6, 0.02),
                                                              ("tanh", 30, 0, 1e-9), ("gelu", 50, 0, 1e-6)])  # fmt: skip
def test_fits_of_a_sine(reference, name, n_hidden, low, high):
    x = np.linspace(-1, 1, 200)
    for seed in range(40):
        found = reference.random_feature_fit(x, np.sin(2 * np.pi * x), n_hidden, name, seed)
        assert low <= found["mse"] <= high


@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu"])
def test_gradient_is_zero_at_the_fit(reference, rng, name):
    x = rng.uniform(3, 6, 25)
    y = np.cos(3 * x) + 2
    found = reference.random_feature_fit(x, y, 6, name, 3)
    tensors = [torch.tensor(part, requires_grad=True) for layer in found["layers"] for part in layer]
    W1, b1, W2, b2 = tensors
    out = TORCHS[name](torch.tensor(x)[:, None] @ W1.T + b1) @ W2.T + b2
    loss = torch.mean((out[:, 0] - torch.tensor(y)) ** 2)
    loss.backward()

    assert loss.item() == pytest.approx(found["mse"], rel=1e-9)
    np.testing.assert_allclose(W2.grad.numpy(), 0, atol=1e-10)
    np.testing.assert_allclose(b2.grad.numpy(), 0, atol=1e-10)


def test_bends_lie_in_the_range_of_the_data(reference):
    x = np.array([3.0, 8.0])
    ((W1, b1), _) = reference.random_feature_fit(x, x, 4000, "relu", 1)["layers"]
    places = -b1 / W1[:, 0]

    assert places.min() >= 3 - 1e-9
    assert places.max() <= 8 + 1e-9
    # Five standard deviations of the mean of 4000 uniform numbers, and of the deviation of as many normal ones.
    assert places.mean() == pytest.approx(5.5, abs=5 * 5 / math.sqrt(12 * 4000))
    assert W1.std() == pytest.approx(3, abs=5 * 3 / math.sqrt(2 * 4000))


def test_numbers_of_the_lesson(reference):
    first = (np.array([[1, 2], [0, 1]]), np.array([1, -1]))
    second = (np.array([[2, 0], [1, 1]]), np.array([0, 3]))
    W, b = reference.collapse_linear([first, second])
    assert W.tolist() == [[2, 4], [1, 3]]
    assert b.tolist() == [2, 3]
    assert (W @ [1, 0] + b).tolist() == [4, 4]

    x = np.array([-1.0, 0.0, 1.0])
    F = np.column_stack([reference.activation("relu", x), reference.activation("relu", -x), np.ones(3)])
    assert (F @ [1, 1, 0]).tolist() == [1, 0, 1]
    assert reference.random_feature_fit(x, np.abs(x), 5, "identity", 0)["mse"] == pytest.approx(2 / 9)

    table = {"sigmoid": [0.2689, 0.7311], "tanh": [-0.7616, 0.7616], "elu": [-0.6321, 1], "softplus": [0.3133, 1.3133],
             "gelu": [-0.1587, 0.8413]}  # fmt: skip
    for name, values in table.items():
        np.testing.assert_allclose(reference.activation(name, x)[[0, 2]], values, atol=5e-5)

    x = np.linspace(-1, 1, 200)
    y = np.sin(2 * np.pi * x)
    errors = {name: [reference.random_feature_fit(x, y, n, name, seed)["mse"] for seed in range(60)]
              for name, n in (("identity", 50), ("relu", 50), ("tanh", 30))}  # fmt: skip
    assert np.median(errors["identity"]) == pytest.approx(0.42, abs=0.005)
    assert 1e-4 < np.median(errors["relu"]) < 3e-4
    assert 1e-17 < np.median(errors["tanh"]) < 1e-15
