"""Section 15's reference agrees with torch's modules, in both precisions, and with the lesson."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

SOLUTION = Path(__file__).parents[2] / "solutions" / "s15_forward" / "forward.py"
STUB = Path(__file__).parents[2] / "exercises" / "s15_forward" / "forward.py"
nn = torch.nn


class Step(nn.Module):
    def forward(self, x):
        return (x >= 0).to(x.dtype)


TORCHS = {
    "identity": nn.Identity,
    "step": Step,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "softmax": lambda: nn.Softmax(dim=1),
}


def load(path):
    spec = importlib.util.spec_from_file_location(f"s15_{path.parents[1].name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return load(SOLUTION)


@pytest.fixture
def rng():
    return np.random.default_rng(15)


def network(rng, widths, dtype=np.float64):
    return [
        (rng.standard_normal((o, i)).astype(dtype), rng.standard_normal(o).astype(dtype)) for i, o in pairwise(widths)
    ]


def torchs_trace(X, layers, names):
    """The outputs of all of torch's modules, one after the other."""
    kind = torch.from_numpy(X).dtype
    out, z, a = torch.from_numpy(X), [], [X]
    for (W, b), name in zip(layers, names, strict=True):
        linear = nn.Linear(*reversed(W.shape), dtype=kind)
        linear.load_state_dict({"weight": torch.tensor(W), "bias": torch.tensor(b)})
        out = linear(out)
        z.append(out.detach().numpy())
        out = TORCHS[name]()(out)
        a.append(out.detach().numpy())
    return {"z": z, "a": a}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("N", [0, 1, 4, 7])
@pytest.mark.parametrize("name", TORCHS)
def test_traces_agree_with_torch(reference, rng, name, N, dtype):
    names = ["tanh", name, "sigmoid", name]
    layers = network(rng, (3, 4, 6, 4, 5), dtype)
    X = rng.standard_normal((N, 3)).astype(dtype)
    ours, theirs = reference.forward(X, layers, names), torchs_trace(X, layers, names)

    assert len(ours["z"]) == 4
    assert len(ours["a"]) == 5
    for mine, other in zip(ours["z"] + ours["a"], theirs["z"] + theirs["a"], strict=True):
        assert mine.dtype == dtype
        # Four layers of at most seven terms, each layer enlarging what came in by a factor of a few.
        np.testing.assert_allclose(mine, other, rtol=0, atol=500 * np.finfo(dtype).eps)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 7, 8, 100])
def test_predict_and_single_agree_with_torch(reference, rng, batch_size):
    names = ["elu", "gelu", "softmax"]
    layers, X = network(rng, (5, 3, 4, 2)), rng.standard_normal((7, 5))
    expected = torchs_trace(X, layers, names)["a"][-1]

    np.testing.assert_allclose(reference.predict(X, layers, names, batch_size), expected, rtol=1e-12)
    singles = [reference.forward_single(x, layers, names) for x in X]
    np.testing.assert_allclose(singles, expected, rtol=1e-12)


def test_no_samples(reference, rng):
    for kind in (np.float32, np.float64):
        layers = network(rng, (3, 4, 2), kind)
        out = reference.predict(np.zeros((0, 3), kind), layers, ["tanh", "softmax"], 5)
        assert out.shape == (0, 2)
        assert out.dtype == kind


def test_softmax_of_any_size(reference, rng):
    Z = rng.uniform(-1, 1, (40, 5)) * 10.0 ** rng.uniform(-3, 300, (40, 1))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        ours = reference.forward(Z, [(np.eye(5), np.zeros(5))], ["softmax"])["a"][1]
    np.testing.assert_allclose(ours, torch.softmax(torch.tensor(Z), dim=1).numpy(), rtol=1e-12, atol=1e-300)


def test_given_activation_is_the_same_in_the_stub(reference, rng):
    stub, z = load(STUB), rng.normal(0, 3, (3, 4))
    for name in TORCHS.keys() - {"softmax"}:
        np.testing.assert_array_equal(stub.activation(name, z), reference.activation(name, z))
        np.testing.assert_allclose(stub.activation(name, z), TORCHS[name]()(torch.tensor(z)).numpy(), atol=1e-14)
    with pytest.raises(KeyError):
        stub.activation("softmax", z)


def test_numbers_of_the_lesson(reference):
    layers = [(np.array([[1, -1], [2, 0]]), np.array([0, -1])), (np.array([[3, -2]]), np.array([1]))]
    X = np.array([[1, 2], [3, 1]])
    trace = reference.forward(X, layers, ["relu", "sigmoid"])
    assert [part.tolist() for part in trace["z"]] == [[[-1, 1], [2, 5]], [[-1], [-3]]]
    assert [part.tolist() for part in trace["a"][:2]] == [[[1, 2], [3, 1]], [[0, 1], [2, 5]]]
    np.testing.assert_allclose(trace["a"][2], [[0.2689], [0.0474]], atol=5e-5)

    rows = reference.forward(np.array([[0.0, 0], [1, 2]]), [(np.eye(2), np.zeros(2))], ["softmax"])["a"][1]
    np.testing.assert_allclose(rows, [[0.5, 0.5], [0.2689, 0.7311]], atol=5e-5)
