"""Section 15: forward propagation. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_shape

# The network of the lesson: 2 inputs, 2 relu units, 1 sigmoid unit.
LAYERS = [
    (np.array([[1.0, -1.0], [2.0, 0.0]]), np.array([0.0, -1.0])),
    (np.array([[3.0, -2.0]]), np.array([1.0])),
]
NAMES = ["relu", "sigmoid"]
SAMPLES = np.array([[1.0, 2.0], [3.0, 1.0]])


def test_one_layer_by_hand(student):
    """The first layer turns (1, 2) into (-1, 1) and (3, 1) into (2, 5)"""
    yours = student.dense(SAMPLES, *LAYERS[0])

    assert_close(yours, np.array([[-1.0, 1.0], [2.0, 5.0]]), name="dense(X, W, b)")


def test_network_by_hand(student):
    """The 2-2-1 network of the lesson answers 0.2689 to (1, 2) and 0.0474 to (3, 1)"""
    trace = student.forward(SAMPLES, LAYERS, NAMES)

    assert_close(trace["z"][1], np.array([[-1.0], [-3.0]]), name="z[1]")
    # Four digits as printed, so half a unit of the fourth.
    assert_close(trace["a"][2], np.array([[0.2689], [0.0474]]), rtol=0.0, atol=0.5e-4, name="a[2]")


def test_trace_has_every_layer(student):
    """Two layers leave two arrays in z and three in a: the input, the hidden layer, the output"""
    trace = student.forward(SAMPLES, LAYERS, NAMES)

    assert len(trace["z"]) == 2, f"z has {len(trace['z'])} entries; two layers make two."
    assert len(trace["a"]) == 3, f"a has {len(trace['a'])} entries; the input and two layers make three."
    assert_close(trace["a"][0], SAMPLES, name="a[0]")
    assert_close(trace["a"][1], np.array([[0.0, 1.0], [2.0, 5.0]]), name="a[1]")


def test_softmax_by_hand(student):
    """softmax works on each row: sums of (0, 0) and (1, 2) become (0.5, 0.5) and (0.2689, 0.7311)"""
    trace = student.forward(np.array([[0.0, 0.0], [1.0, 2.0]]), [(np.eye(2), np.zeros(2))], ["softmax"])

    # Four digits as printed, so half a unit of the fourth.
    expected = np.array([[0.5, 0.5], [0.2689, 0.7311]])
    assert_close(trace["a"][1], expected, rtol=0.0, atol=0.5e-4, name="a[1]")


def test_batch_is_rows_of_singles(student):
    """Each row of a batch gets what the sample gets on its own"""
    together = student.predict(SAMPLES, LAYERS, NAMES)

    assert_shape(together, (2, 1), name="predict(X, ...)")
    for row, x in zip(together, SAMPLES, strict=True):
        alone = student.forward_single(x, LAYERS, NAMES)
        assert_shape(alone, (1,), name="forward_single(x, ...)")
        # The sums may be added in another order: a rounding of 1e-16 or two.
        assert_close(alone, row, rtol=1e-12, name="forward_single(x, ...)")


def test_batches_of_three(student, rng):
    """Ten rows in batches of three give what they give all at once"""
    X = rng.standard_normal((10, 2))
    expected = student.forward(X, LAYERS, NAMES)["a"][-1]

    assert_close(
        student.predict(X, LAYERS, NAMES, batch_size=3), expected, rtol=1e-12, name="predict with batch_size=3"
    )
