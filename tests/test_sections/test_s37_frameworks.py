"""Section 37's reference against finite differences, torch's own optimizer and an independent forward pass."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

PATH = Path(__file__).parents[2] / "solutions" / "s37_frameworks" / "frameworks.py"
SIZES = [[4, 3], [3, 5, 2], [4, 4, 4], [2, 7, 6, 5, 3]]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_of_section_37", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(seed, n, sizes):
    rng = np.random.default_rng(seed)
    layers = [
        (rng.standard_normal((o, i)) * np.sqrt(2 / i), rng.standard_normal(o)) for i, o in itertools.pairwise(sizes)
    ]
    return rng.standard_normal((n, sizes[0])), rng.integers(0, sizes[-1], n), layers


def loss_by_loops(X, y, layers):
    """Sample by sample, in extended precision."""
    total = np.longdouble(0)
    for x, label in zip(X.astype(np.longdouble), y, strict=True):
        a = x
        for i, (W, b) in enumerate(layers):
            z = np.array([sum(w * v for w, v in zip(row, a, strict=True)) for row in W.astype(np.longdouble)]) + b
            a = np.where(z > 0, z, 0) if i < len(layers) - 1 else z
        total += np.log(np.exp(a - a.max()).sum()) + a.max() - a[label]
    return float(total / len(y))


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("function", ["numpy_loss_grads", "torch_loss_grads"])
def test_loss_and_gradients(reference, function, sizes, n):
    """Both losses equal the loops', both gradients the central differences of the loops"""
    X, y, layers = drawn(37, n, sizes)
    loss, grads = getattr(reference, function)(X, y, layers)

    assert isinstance(loss, float)
    np.testing.assert_allclose(loss, loss_by_loops(X, y, layers), rtol=1e-13)
    for i, layer in enumerate(layers):
        for j, array in enumerate(layer):
            assert grads[i][j].dtype == array.dtype
            for index in np.ndindex(array.shape):
                sides = []
                for h in (1e-6, -1e-6):
                    moved = [list(pair) for pair in layers]
                    moved[i][j] = array.copy()
                    moved[i][j][index] += h
                    sides.append(loss_by_loops(X, y, moved))
                # differences of losses near 1 that are right to 1e-16 each, divided by 2e-6
                np.testing.assert_allclose(grads[i][j][index], (sides[0] - sides[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_training_equals_torch_optim(reference):
    """Fifty steps of train_both give the losses of torch.optim.SGD on a network built by hand"""
    X, y, layers = drawn(38, 8, [3, 6, 5, 4])
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4)
    ).double()
    for linear, (W, b) in zip(net[::2], layers, strict=True):
        linear.weight.data, linear.bias.data = torch.tensor(W), torch.tensor(b)
    opt, losses = torch.optim.SGD(net.parameters(), lr=0.07), []
    for _ in range(50):
        opt.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(net(torch.tensor(X)), torch.tensor(y))
        loss.backward()
        opt.step()
        losses.append(loss.item())

    by_numpy, by_torch = reference.train_both(X, y, layers, 0.07, 50)

    np.testing.assert_allclose(by_numpy, losses, rtol=1e-9)
    np.testing.assert_allclose(by_torch, losses, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_there_and_back(reference, dtype):
    """A network of twelve layers survives the round trip, and a plain Sequential takes its state dict strictly"""
    _, _, layers = drawn(39, 1, [3] * 13)
    layers = [(W.astype(dtype), b.astype(dtype)) for W, b in layers]
    state = reference.to_state_dict(layers)
    modules = [torch.nn.ReLU() if i % 2 else torch.nn.Linear(3, 3, dtype=state["0.weight"].dtype) for i in range(23)]
    net = torch.nn.Sequential(*modules)
    net.load_state_dict(state, strict=True)

    back = reference.from_state_dict(dict(sorted(net.state_dict().items())))

    for (W, b), (V, c) in zip(layers, back, strict=True):
        np.testing.assert_array_equal(W, V)
        np.testing.assert_array_equal(b, c)
        assert V.dtype == c.dtype == dtype
    with torch.no_grad():
        net[0].weight.zero_()
    assert back[0][0].any()


def test_nothing_global_moves(reference):
    """Building and training leave generator and default dtype alone, and the network shares no memory with the layers"""
    X, y, layers = drawn(40, 5, [3, 4, 2])
    before, state = [(W.copy(), b.copy()) for W, b in layers], torch.get_rng_state()

    net = reference.build_torch(layers)
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    reference.train_both(X, y, layers, 0.1, 3)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32
    for (W, b), (V, c) in zip(layers, before, strict=True):
        np.testing.assert_array_equal(W, V)
        np.testing.assert_array_equal(b, c)
