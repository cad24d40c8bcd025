"""Section 37: the same network in numpy and in PyTorch. Visible tests."""

import numpy as np
import pytest

from nnkit.grader.compare import assert_close, assert_equal, is_tensor, tensor

# One sample (1, 2) of class 0. The hidden layer gives (3, -1), its ReLU (3, 0), the output (3, 3 + log 3): the softmax
# of that is (1/4, 3/4).
X = np.array([[1.0, 2.0]])
Y = np.array([0])
LAYERS = [
    (np.array([[1.0, 1.0], [-1.0, 0.0]]), np.array([0.0, 0.0])),
    (np.array([[1.0, 5.0], [2.0, 1.0]]), np.array([0.0, np.log(3) - 3])),
]


@pytest.mark.parametrize("function", ["numpy_loss_grads", "torch_loss_grads"])
def test_loss(student, function):
    """The right class has probability 1/4, so both losses are log 4"""
    loss, _ = getattr(student, function)(X, Y, LAYERS)

    assert_close(loss, np.log(4))


@pytest.mark.parametrize("function", ["numpy_loss_grads", "torch_loss_grads"])
def test_gradients(student, function):
    """Both gradients are those worked out by hand in the lesson"""
    _, grads = getattr(student, function)(X, Y, LAYERS)

    expected = [
        (np.array([[0.75, 1.5], [0.0, 0.0]]), np.array([0.75, 0.0])),
        (np.array([[-2.25, 0.0], [2.25, 0.0]]), np.array([-0.75, 0.75])),
    ]
    assert_close(grads, expected, atol=1e-12)


def test_build_torch(student):
    """build_torch makes Linear, ReLU, Linear, which give (3, 3 + log 3) for the sample (1, 2)"""
    net = student.build_torch(LAYERS)

    assert len(net) == 3, f"the network has {len(net)} modules; two layers need Linear, ReLU, Linear"
    assert_close(net(tensor(X)), np.array([[3.0, 3.0 + np.log(3)]]))


def test_round_trip(student):
    """to_state_dict has the four keys of two layers, and from_state_dict gives the same layers back"""
    state = student.to_state_dict(LAYERS)

    assert sorted(state) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert all(is_tensor(value) for value in state.values()), "the values of a state dict are tensors"
    assert_equal(student.from_state_dict(state), LAYERS)


def test_two_steps_of_one_layer(student):
    """One layer, zero weights, bias (0, log 3), lr = log(3) / 9: the losses are log 4, then log 2, in both"""
    layers = [(np.zeros((2, 2)), np.array([0.0, np.log(3)]))]

    losses = student.train_both(X, Y, layers, np.log(3) / 9, 2)

    assert_close(losses, (np.log([4, 2]), np.log([4, 2])))


def test_four_steps_agree(student):
    """Four steps of a network with a hidden layer give the same four falling losses in numpy and in torch"""
    rng = np.random.default_rng(37)
    samples, labels = rng.standard_normal((6, 3)), rng.integers(0, 2, 6)
    layers = [(rng.standard_normal((4, 3)), np.zeros(4)), (rng.standard_normal((2, 4)), np.zeros(2))]

    by_numpy, by_torch = student.train_both(samples, labels, layers, 0.1, 4)

    assert_close(by_torch, by_numpy)
    assert np.all(np.diff(by_numpy) < 0), f"the losses should fall: {by_numpy}"
