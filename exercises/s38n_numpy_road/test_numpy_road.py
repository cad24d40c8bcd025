"""Section 38n: the digits once more, with your own layers. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close

# The lesson's sample and uniform random numbers, and its two second layers: through the first of them nothing comes back.
X, Y, U = np.array([[1.0, 2.0]]), np.array([0]), np.array([[0.7, 0.2]])
FIRST = (np.array([[1.0, 1.0], [-1.0, 2.0]]), np.zeros(2))
LAYERS = [FIRST, (np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0.0, np.log(3)]))]
OPEN = [FIRST, (np.array([[0.5, 1.0], [0.0, 2.0]]), np.array([0.0, 3 + np.log(3)]))]


def test_shapes(student):
    """The network has layers of (256, 784), (128, 256) and (10, 128), float32, with biases of 0"""
    layers = student.network(0)

    assert [W.shape for W, _ in layers] == [(256, 784), (128, 256), (10, 128)]
    assert all(W.dtype == b.dtype == np.float32 for W, b in layers), "weights and biases are float32"
    assert not any(b.any() for _, b in layers), "biases begin at 0"


def test_logits(student):
    """For the lesson's sample the hidden layer is (3, 3) and the logits are (3, 3 + log 3)"""
    assert_close(student.predict(X, LAYERS), np.array([[3.0, 3.0 + np.log(3)]]))


def test_loss_with_dropout(student):
    """With the uniform numbers (0.7, 0.2) and p = 1/2 the loss is log 4, and the gradients are those of the lesson"""
    found = student.gradients(X, Y, LAYERS, 0.5, [U])

    assert_close(found["loss"], np.log(4), name="loss")
    last = np.array([[-4.5, 0.0], [4.5, 0.0]]), np.array([-0.75, 0.75])
    assert_close(found["grads"], [(np.zeros((2, 2)), np.zeros(2)), last], atol=1e-12, name="grads")


def test_what_reaches_the_first_layer(student):
    """With the lesson's other second layer the first one gets [[-0.75, -1.5], [0, 0]] and (-0.75, 0)"""
    found = student.gradients(X, Y, OPEN, 0.5, [U])

    assert_close(found["loss"], np.log(4), name="loss")
    first = np.array([[-0.75, -1.5], [0.0, 0.0]]), np.array([-0.75, 0.0])
    assert_close(found["grads"][0], first, atol=1e-12, name="grads[0]")


def test_the_loss_falls(student):
    """Ten epochs on 12 samples halve the loss"""
    rng = np.random.default_rng(1)
    samples, labels = rng.standard_normal((12, 5)), rng.integers(0, 3, 12)
    layers = [(rng.standard_normal((8, 5)), np.zeros(8)), (rng.standard_normal((3, 8)), np.zeros(3))]
    optimizer, losses = student.make_optimizer(), []
    optimizer.lr = 0.05

    for epoch in range(10):
        loss, layers = student.train_epoch(samples, labels, layers, optimizer, 5, 0, epoch, 0.0)
        losses.append(loss)

    assert losses[-1] < losses[0] / 2, f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}"
