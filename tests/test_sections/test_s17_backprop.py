"""Section 17's reference agrees with torch's autograd, on random programs and on random networks."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[2] / "solutions" / "s17_backprop"
ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu"]


def loaded(file, name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return loaded("backprop.py", "reference_s17")


@pytest.fixture(scope="module")
def suite():
    pytest.importorskip("gradescope_utils")
    return loaded("test_hidden.py", "hidden_s17")


@pytest.fixture
def rng():
    return np.random.default_rng(17)


TWO = {"+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "**": torch.pow}
ONE = {"tanh": torch.tanh, "relu": torch.relu, "exp": torch.exp, "log": torch.log, "-": torch.neg}


def by_torch(steps, leaves, roots=None):
    """The same program in torch: the last value, and the grad of every leaf and every result."""
    values = {name: torch.tensor(data, dtype=torch.float64, requires_grad=True) for name, data in leaves.items()}
    for name, *left, sign, right in steps:
        operands = [
            values[entry] if isinstance(entry, str) else torch.tensor(entry, dtype=torch.float64)
            for entry in (*left, right)
        ]
        values[name] = (TWO if left else ONE)[sign](*operands)
        values[name].retain_grad()
    for root in roots or [steps[-1][0]]:
        values[root].backward(retain_graph=True)
    grads = {name: 0.0 if value.grad is None else value.grad.item() for name, value in values.items()}
    return values[steps[-1][0]].item(), grads


def assert_same(reference, steps, leaves, roots=None):
    value, grads = reference.run_program(steps, leaves, roots)
    expected, theirs = by_torch(steps, leaves, roots)

    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert list(grads) == list(theirs)
    scale = max(map(abs, theirs.values()))
    np.testing.assert_allclose(list(grads.values()), list(theirs.values()), rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("count", [1, 3, 8, 20, 40, 60])
def test_random_programs_agree_with_autograd(reference, suite, rng, count):
    for _ in range(20):
        assert_same(reference, *suite.random_program(rng, count))


def test_random_programs_use_everything(suite, rng):
    steps = [step for _ in range(30) for step in suite.random_program(rng, 40)[0]]
    signs = {step[-2] for step in steps}
    operands = [entry for step in steps for entry in (*step[1:-2], step[-1]) if isinstance(entry, str)]

    assert signs == {"+", "-", "*", "/", "**", "tanh", "relu", "exp", "log"}
    assert len(operands) > len(steps)  # more uses than results: some are used again


def test_roots_that_share_a_part_agree_with_autograd(reference, rng):
    leaves = {"x": float(rng.normal()), "y": float(rng.normal())}
    steps = [("u", "x", "*", "y"), ("v", "u", "*", "u"), ("p", "exp", "u"), ("q", "v", "*", "x"), ("r", "relu", "q")]
    for roots in (["p"], ["q"], ["p", "q"], ["q", "p", "q", "r"], ["u", "q", "x"]):
        assert_same(reference, steps, leaves, roots)


def test_convention_at_the_kink_is_torchs(reference):
    assert_same(reference, [("r", "relu", "x"), ("o", "r", "*", "x")], {"x": 0.0})
    assert_same(reference, [("r", "relu", "x"), ("o", "r", "+", "r")], {"x": -0.0})


def test_deep_chains_need_no_recursion(reference):
    steps = [("v0", "x", "+", "x"), *((f"v{k}", f"v{k - 1}", "+", "x") for k in range(1, 20_000))]

    value, grads = reference.run_program(steps, {"x": 0.5})
    assert (value, grads["x"]) == (20_001 / 2, 20_001)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["mse", "cce"])
@pytest.mark.parametrize("sizes", [[3, 2], [1, 1], [4, 3, 2], [4, 4, 4], [2, 5, 4, 3], [3, 4, 2, 5, 2]])
def test_networks_agree_with_autograd(reference, rng, sizes, loss, dtype):
    functions = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
    for n in (1, 4, 7):
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        layers = [(rng.normal(0, 1, s).astype(dtype), rng.normal(0, 1, s[0]).astype(dtype)) for s in shapes]
        X = rng.standard_normal((n, sizes[0])).astype(dtype)
        y = rng.integers(0, sizes[-1], n) if loss == "cce" else rng.standard_normal((n, sizes[-1])).astype(dtype)
        activations = [str(name) for name in rng.choice(ACTIVATIONS, len(layers))]

        leaf = torch.tensor(X, requires_grad=True)
        weights = [tuple(torch.tensor(array, requires_grad=True) for array in layer) for layer in layers]
        a = leaf
        for (W, b), name in zip(weights, activations, strict=True):
            a = functions[name](torch.nn.functional.linear(a, W, b))
        measure = torch.nn.functional.mse_loss if loss == "mse" else torch.nn.functional.cross_entropy
        value = measure(a, torch.tensor(y))
        value.backward()

        found = reference.backprop(X, y, layers, activations, loss)
        # Sums of at most 7 terms, four layers deep, values of size 10.
        tolerance = {"rtol": 1e4 * np.finfo(dtype).eps, "atol": 100 * np.finfo(dtype).eps}
        np.testing.assert_allclose(found["loss"], value.item(), **tolerance)
        np.testing.assert_allclose(found["dX"], leaf.grad.numpy(), **tolerance)
        for (dW, db), (W, b) in zip(found["grads"], weights, strict=True):
            assert (dW.dtype, db.dtype) == (dtype, dtype)
            np.testing.assert_allclose(dW, W.grad.numpy(), **tolerance)
            np.testing.assert_allclose(db, b.grad.numpy(), **tolerance)


def test_check_agrees_with_torchs_verdict(reference, rng):
    params = [rng.uniform(0.5, 1, (2, 3)), rng.uniform(0.5, 1, 3)]

    def loss_and_grad(arrays, factor=1.0):
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        loss = torch.tanh(tensors[0] * tensors[1]).sum() + (tensors[1] ** 3).sum()
        loss.backward()
        return loss.item(), [factor * tensor.grad.numpy() for tensor in tensors]

    assert reference.gradient_check(loss_and_grad, params) < 1e-8
    assert reference.gradient_check(lambda p: loss_and_grad(p, 1.5), params) == pytest.approx(0.2, abs=1e-7)
    assert math.isnan(reference.gradient_check(lambda p: loss_and_grad(p, math.nan), params))


def test_numbers_of_the_lesson(reference):
    steps = [("c", "a", "*", "b"), ("d", "c", "+", "a"), ("t", "tanh", "b"), ("o", "d", "*", "t")]
    value, grads = reference.run_program(steps, {"a": 2.0, "b": 0.5})
    found = [value, grads["a"], grads["b"], grads["d"], grads["t"], 2 * math.tanh(0.5), 1 - math.tanh(0.5) ** 2]
    np.testing.assert_allclose(found, [1.3864, 0.6932, 3.2836, 0.4621, 3, 0.9242, 0.7864], atol=6e-5)
    np.testing.assert_allclose(3 * (1 - math.tanh(0.5) ** 2), 2.3593, atol=6e-5)
    steps = [("y", 2, "*", "x"), ("s", "y", "*", "y"), ("t", "s", "+", "y"), ("o", "t", "+", "x")]
    value, grads = reference.run_program(steps, {"x": 3.0})
    assert (value, grads["y"], grads["x"]) == (45, 13, 27)
    # The quiz: with h = 1e-13 rounding takes over.
    w = np.array([1.0, 2.0])
    error = reference.gradient_check(lambda p: (float((p[0] ** 3).sum()), [3 * p[0] ** 2]), [w], 1e-13)
    assert 1e-5 < error < 0.1
