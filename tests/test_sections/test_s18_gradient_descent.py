"""Section 18: the reference against torch's autograd, the normal equations and closed forms."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

SOLUTION = Path(__file__).parents[2] / "solutions" / "s18_gradient_descent" / "gradient_descent.py"


@pytest.fixture(scope="module")
def ours():
    spec = importlib.util.spec_from_file_location("s18_reference", SOLUTION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(18)


def torch_gradient(X, y, w, b):
    w, b = torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True, dtype=torch.float64)
    torch.nn.functional.mse_loss(torch.tensor(X) @ w + b, torch.tensor(y)).backward()
    return w.grad.numpy(), float(b.grad)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 4), (5, 1), (3, 3), (20, 4)])
def test_gradient_agrees_with_autograd(ours, rng, n, d):
    X, y, w, b = rng.standard_normal((n, d)), rng.standard_normal(n), rng.standard_normal(d), rng.standard_normal()
    (dw, db), (wanted_w, wanted_b) = ours.linreg_grad(X, y, w, b), torch_gradient(X, y, w, b)

    np.testing.assert_allclose(dw, wanted_w, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(db, wanted_b, rtol=1e-12, atol=1e-14)


def test_steps_are_those_of_torch_sgd(ours, rng):
    params, grads = ([rng.standard_normal(s) for s in [(3, 2), (4,), ()]] for _ in range(2))
    tensors = [torch.tensor(p, requires_grad=True) for p in params]
    for tensor, grad in zip(tensors, grads, strict=True):
        tensor.grad = torch.tensor(grad)
    torch.optim.SGD(tensors, lr=0.37).step()

    for yours, tensor in zip(ours.gd_step(params, grads, 0.37), tensors, strict=True):
        np.testing.assert_allclose(yours, tensor.detach().numpy(), rtol=1e-15)


def test_batch_training_is_that_of_torch(ours, rng):
    X, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    layer = torch.nn.Linear(3, 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(layer(torch.tensor(X))[:, 0], torch.tensor(y))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    result = ours.train_linear(X, y, 0.1, 30, None, 4)

    np.testing.assert_allclose(result["w"], layer.weight.detach().numpy()[0], rtol=1e-10)
    np.testing.assert_allclose(result["b"], layer.bias.item(), rtol=1e-10)
    np.testing.assert_allclose(result["losses"][:-1], losses[1:], rtol=1e-10)


@pytest.mark.parametrize("batch_size", [1, 4, 7, None])
def test_noiseless_data_lead_to_the_normal_equations(ours, rng, batch_size):
    X = rng.standard_normal((10, 2))
    y = X @ [1.5, -0.5] + 0.75
    wanted = np.linalg.lstsq(np.column_stack([X, np.ones(10)]), y)[0]
    result = ours.train_linear(X, y, 0.05, 1500, batch_size, 1)

    np.testing.assert_allclose([*result["w"], result["b"]], wanted, atol=1e-9)


def test_noisy_batch_training_leads_to_the_normal_equations(ours, rng):
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    A = np.column_stack([X, np.ones(20)])
    result = ours.train_linear(X, y, 0.1, 2000, None, 1)

    np.testing.assert_allclose(result["path"][-1], np.linalg.solve(A.T @ A, A.T @ y), atol=1e-10)


def test_descent_on_a_bowl_follows_matrix_powers(ours, rng):
    root = rng.standard_normal((4, 4))
    hessian, w0 = root @ root.T, rng.standard_normal(4)
    lr = 1 / np.linalg.eigvalsh(hessian)[-1]
    path = ours.descend(lambda w: hessian @ w, w0, lr, 15)

    for k, row in enumerate(path):
        expected = np.linalg.matrix_power(np.eye(4) - lr * hessian, k) @ w0
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-12)


def test_every_epoch_is_a_new_permutation(ours):
    path = ours.train_linear(np.eye(8), np.full(8, 50.0), 0.01, 3, 1, 2)["path"]
    orders = np.abs(np.diff(path[:, :-1], axis=0)).argmax(axis=1).reshape(3, 8)

    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(8), (3, 1)))
    assert len({tuple(order) for order in orders.tolist()}) == 3


def test_dtypes(ours):
    w, whole = np.ones(2, np.float32), np.array([1, 2])

    assert ours.gd_step([w, whole], [w, whole], 0.1)[0].dtype == np.float32
    assert ours.gd_step([w, whole], [w, whole], 0.1)[1].dtype == np.float64
    assert ours.descend(lambda v: v, w, 0.1, 2).dtype == np.float32
    assert ours.descend(lambda v: v, whole, 0.1, 0).dtype == np.float64
    assert ours.linreg_grad(np.ones((3, 2), np.float32), np.ones(3, np.float32), w, 0.5)[0].dtype == np.float32


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr": 0.0}, "lr"),
        ({"lr": np.nan}, "lr"),
        ({"epochs": -1}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 4}, "batch_size"),
    ],
)
def test_bad_training_is_refused(ours, options, named):
    good = {"lr": 0.1, "epochs": 1, "batch_size": 2, "seed": 0}

    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        ours.train_linear(np.ones((3, 2)), np.ones(3), **{**good, **options})


def test_bad_steps_are_refused(ours):
    with pytest.raises(ValueError, match=r"\bsteps\b"):
        ours.descend(lambda w: w, np.ones(2), 0.1, -1)
    with pytest.raises(ValueError, match=r"\blr\b"):
        ours.gd_step([np.ones(2)], [np.ones(2)], -0.1)
