"""Section 17: backpropagation. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close


def test_chain_by_hand(student):
    """(a * b + a) * tanh(b) at a = 2, b = 0.5 is 1.3864, with slopes 0.6932 for a and 3.2836 for b"""
    steps = [("c", "a", "*", "b"), ("d", "c", "+", "a"), ("t", "tanh", "b"), ("o", "d", "*", "t")]
    value, grads = student.run_program(steps, {"a": 2.0, "b": 0.5})

    # Four digits as printed, so half a unit of the fourth.
    assert_close(value, 1.3864, rtol=0.0, atol=0.5e-4, name="the value")
    assert_close(grads["a"], 0.6932, rtol=0.0, atol=0.5e-4, name="a.grad")
    assert_close(grads["b"], 3.2836, rtol=0.0, atol=0.5e-4, name="b.grad")


def test_two_paths_add_up(student):
    """y = 2 x and o = y * y + y + x at x = 3: o is 45, y receives 13 and x receives 13 * 2 + 1 = 27"""
    steps = [("y", 2, "*", "x"), ("s", "y", "*", "y"), ("t", "s", "+", "y"), ("o", "t", "+", "x")]
    value, grads = student.run_program(steps, {"x": 3.0})

    assert_close(value, 45.0, name="the value")
    assert_close(grads["y"], 13.0, name="y.grad")
    assert_close(grads["x"], 27.0, name="x.grad")


def test_plain_numbers_on_both_sides(student):
    """(2 - x) * (8 / x) at x = 4 is -4, and its slope is -1 * 2 + (-2) * (-0.5) = -1"""
    value, grads = student.run_program([("p", 2, "-", "x"), ("q", 8, "/", "x"), ("o", "p", "*", "q")], {"x": 4.0})

    assert_close(value, -4.0, name="the value")
    assert_close(grads["x"], -1.0, name="x.grad")


def test_calls_of_backward_add_up(student):
    """x * x at x = 3 leaves a grad of 6, and 12 after a second backward"""
    for roots, expected in ((["o"], 6.0), (["o", "o"], 12.0)):
        _, grads = student.run_program([("o", "x", "*", "x")], {"x": 3.0}, roots)
        assert_close(grads["x"], expected, name=f"x.grad after {len(roots)} calls")


X = np.array([[1.0, 2.0], [2.0, 0.0]])
LAYERS = [
    (np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([0.0, 0.0])),
    (np.array([[2.0, 1.0]]), np.array([-1.0])),
]


def test_network_by_hand(student):
    """The 2-2-1 relu network of the lesson: loss 2.5 and all gradients by hand"""
    found = student.backprop(X, np.array([[3.0], [4.0]]), LAYERS, ["relu", "identity"], "mse")

    assert_close(found["loss"], 2.5, name="loss")
    assert_close(found["grads"][1], [[[8.0, 2.0]], [3.0]], name="(dW2, db2)")
    assert_close(found["grads"][0], [[[8.0, 8.0], [2.0, 0.0]], [6.0, 1.0]], name="(dW1, db1)")
    assert_close(found["dX"], [[4.0, 4.0], [3.0, 1.0]], name="dX")


def test_classes_by_hand(student):
    """Without weights three classes are equally likely: loss log 3, and softmax minus one-hot over N goes back"""
    found = student.backprop(np.eye(2), np.array([0, 2]), [(np.zeros((3, 2)), np.zeros(3))], ["identity"], "cce")

    assert_close(found["loss"], np.log(3), name="loss")
    expected = [[-1 / 3, 1 / 6], [1 / 6, 1 / 6], [1 / 6, -1 / 3]]
    assert_close(found["grads"][0], [expected, [-1 / 6, 1 / 3, -1 / 6]], name="(dW, db)")
    assert_close(found["dX"], np.zeros((2, 2)), name="dX")


def test_right_and_wrong_gradient(student):
    """For the sum of w³ the gradient 3 w² passes the check, and 2 w² fails it with an error of 0.2"""
    w = np.array([1.0, -2.0])

    # Central differences leave h² / (3 w²) = 3e-11 here, and rounding 1e-11.
    right = student.gradient_check(lambda p: (float((p[0] ** 3).sum()), [3 * p[0] ** 2]), [w])
    assert_close(right, 0.0, atol=1e-8, name="error of the right gradient")
    wrong = student.gradient_check(lambda p: (float((p[0] ** 3).sum()), [2 * p[0] ** 2]), [w])
    assert_close(wrong, 0.2, atol=1e-8, name="error of the wrong gradient")


def test_update_by_hand(student):
    """A step with lr 0.5 takes half of each gradient away"""
    layers, grads = [(np.array([[1.0, 2.0]]), np.array([3.0]))], [(np.array([[4.0, -2.0]]), np.array([1.0]))]

    assert_close(student.sgd_update(layers, grads, 0.5), [([[-1.0, 3.0]], [2.5])], name="the new layers")


def test_five_updates_help(student):
    """Each of five updates of the lesson's network with lr 0.01 makes the loss smaller"""
    layers, before = LAYERS, np.inf
    for _ in range(5):
        found = student.backprop(X, np.array([[3.0], [4.0]]), layers, ["relu", "identity"], "mse")
        assert found["loss"] < before, "the loss must fall"
        before = found["loss"]
        layers = student.sgd_update(layers, found["grads"], 0.01)
