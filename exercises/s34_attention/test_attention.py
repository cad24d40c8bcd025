"""Section 34: attention and the Transformer. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_calm, assert_close, assert_equal

# The example of the lesson: two queries, two keys, d_k = 4, d_v = 3.
Q = np.array([[2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]])
V = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 4.0]])
HALF_A_DIGIT = {"rtol": 0.0, "atol": 0.5e-4}  # four digits as printed, so half a unit of the fourth


def test_two_queries_by_hand(student):
    """The scores [[2, 0], [0, 1]] of the lesson give weights [[0.8808, 0.1192], [0.2689, 0.7311]]"""
    out, weights = student.attention(Q, K, V)

    assert_close(weights, np.array([[0.8808, 0.1192], [0.2689, 0.7311]]), **HALF_A_DIGIT, name="weights")
    assert_close(out, np.array([[0.8808, 0.1192, 2.2384], [0.2689, 0.7311, 3.4621]]), **HALF_A_DIGIT, name="out")


def test_weights_sum_to_one(student):
    """The weights of each of three queries over four keys sum to 1, in each of two batches"""
    numbers = np.arange(-12.0, 12.0)
    _, weights = student.attention(
        numbers[:12].reshape(2, 3, 2) / 4, numbers[4:20].reshape(2, 4, 2) / 3, numbers[:8].reshape(2, 4, 1)
    )

    # Four roundings of 1e-16.
    assert_close(weights.sum(axis=-1), np.ones((2, 3)), rtol=1e-14, name="sums of the weights")


def test_three_tokens_look_back(student):
    """causal_mask(3) lets the first token see itself, the second two tokens, the third all three"""
    expected = np.array([[True, False, False], [True, True, False], [True, True, True]])

    assert_equal(student.causal_mask(3), expected, name="causal_mask(3)")


def test_masked_by_hand(student):
    """With [[True, False], [False, False]] the first query takes all of the first value, and the second one nothing"""
    out, weights = student.attention(Q, K, V, np.array([[True, False], [False, False]]))

    assert_calm(student.observed)
    assert_close(weights, np.array([[1.0, 0.0], [0.0, 0.0]]), name="weights")
    assert_close(out, np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]), name="out")


def test_gradients_by_hand(student):
    """An upstream gradient of 1 at out[0, 0] gives the gradients of the lesson"""
    upstream = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    dQ, dK, dV = student.attention_backward(upstream, Q, K, V)

    expected = np.array([[0.0525, 0.0525, -0.0525, -0.1050], [0.0, 0.0, 0.0, 0.0]])
    assert_close(dQ, expected, **HALF_A_DIGIT, name="dQ")
    expected = np.array([[0.1050, 0.1050, 0.0, 0.0], [-0.1050, -0.1050, 0.0, 0.0]])
    assert_close(dK, expected, **HALF_A_DIGIT, name="dK")
    assert_close(dV, np.array([[0.8808, 0.0, 0.0], [0.1192, 0.0, 0.0]]), **HALF_A_DIGIT, name="dV")


X = np.array([[[1.0, 0.0, 2.0, -1.0], [0.0, 1.0, 1.0, 1.0], [2.0, -1.0, 0.0, 3.0]]])
SWAP = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]])


def test_one_head_is_plain_attention(student):
    """One head is attention of X Wq^T, X Wk^T and X Wv^T, times Wo^T"""
    W = SWAP @ SWAP
    expected, _ = student.attention(X @ SWAP.T, X, X @ W.T)

    found = student.multi_head(X, SWAP, np.eye(4), W, SWAP.T, 1)
    assert_close(found, expected @ SWAP, rtol=1e-12, atol=1e-12, name="multi_head(X, ..., heads=1)")


def test_two_heads_stand_side_by_side(student):
    """With weights that change nothing, two heads are two attentions: one of the first two features, one of the others"""
    left, right = X[..., :2], X[..., 2:]
    expected = [student.attention(part, part, part)[0] for part in (left, right)]

    found = student.multi_head(X, np.eye(4), np.eye(4), np.eye(4), np.eye(4), 2)
    expected = np.concatenate(expected, axis=-1)
    assert_close(found, expected, rtol=1e-12, atol=1e-12, name="multi_head(X, ..., heads=2)")


def test_positions_by_hand(student):
    """Of four columns the first pair turns by 1 and the second by 0.01 from position to position"""
    expected = np.array([[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.0100, 1.0000], [0.9093, -0.4161, 0.0200, 0.9998]])

    found = student.sinusoidal_positions(3, 4)
    assert_close(found, expected, **HALF_A_DIGIT, name="sinusoidal_positions(3, 4)")
