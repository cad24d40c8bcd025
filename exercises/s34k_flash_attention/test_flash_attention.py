"""Section 34k: attention without the n x n matrix. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_gradient

# Share of what a matrix product reaches on the machine of the authors, in per cent.
MEASURED = {
    "a loop over pairs": 0.1,
    "one query at a time": 6,
    "tiles of 64 by 64": 25,
    "all scores at once": 40,
    "tiles of 256 by 256": 49,
}


def plain(q, k, v, causal=False):
    """The formula of section 34, with all scores at once."""
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], scores.shape[-1] - scores.shape[-2]), scores, -np.inf)
    largest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - largest)
    sums = weights.sum(axis=-1, keepdims=True)
    return weights / sums @ v, (largest + np.log(sums))[..., 0]


def test_two_keys_by_hand(student):
    """Scores 1 and 3 with values 10 and 20 give 18.81, and a logsumexp of 3.127"""
    q, k, v = np.array([[[[1.0]]]]), np.array([[[[1.0], [3.0]]]]), np.array([[[[10.0], [20.0]]]])
    out, logsumexp = student.flash_attention(q, k, v, block=1)

    assert_close(out, [[[[18.807970779778824]]]], rtol=1e-12)
    assert_close(logsumexp, [[[3.1269280110429727]]], rtol=1e-12)


def test_five_queries_and_seven_keys(student, rng):
    """It is the attention of section 34, with tiles of 3 that divide neither 5 nor 7, causal or not"""
    q, k, v = (rng.standard_normal(shape) for shape in ((1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)))
    for causal in (False, True):
        out, logsumexp = student.flash_attention(q, k, v, causal, 3)
        right, right_sums = plain(q, k, v, causal)
        assert_close(out, right, rtol=1e-10, atol=1e-12)
        assert_close(logsumexp, right_sums, rtol=1e-10, name="logsumexp")


def test_blocks_do_not_matter(student, rng):
    """Tiles of 2 and of 64 give the same"""
    q, k, v = (rng.standard_normal((1, 1, 6, 3)) for _ in range(3))
    small, large = (student.flash_attention(q, k, v, False, block)[0] for block in (2, 64))

    assert_close(small, large, rtol=1e-10, atol=1e-12)


def test_gradients_of_a_small_case(student, rng):
    """dq, dk and dv agree with differences, for 4 queries and 6 keys"""
    q, k, v = (rng.standard_normal(shape) for shape in ((1, 1, 4, 3), (1, 1, 6, 3), (1, 1, 6, 2)))
    upstream = rng.standard_normal((1, 1, 4, 2))
    out, logsumexp = plain(q, k, v, causal=True)
    dq, dk, dv = student.flash_attention_backward(upstream, q, k, v, out, logsumexp, True, 4)

    assert_gradient(dv, lambda v: plain(q, k, v, causal=True)[0], v, upstream, name="dv")
    assert_gradient(dq, lambda q: plain(q, k, v, causal=True)[0], q, upstream, name="dq")
    assert_gradient(dk, lambda k: plain(q, k, v, causal=True)[0], k, upstream, name="dk")


def test_how_fast_it_is_here(student, kernel):
    """For your eyes: how fast it is on this machine (four heads of width 64, length 512)"""
    one = np.ones((1, 1, 1, 1), np.float32)
    assert_close(student.flash_attention(one, one, one)[0], one)

    def size(heads, length, width):
        shape = (1, heads, length, width)
        return 4 * heads * length**2 * width, lambda rng: tuple(
            rng.standard_normal(shape, np.float32) for _ in range(3)
        )

    sizes = [size(1, 48, 64), size(4, 128, 64), size(4, 512, 64)]
    kernel.look(lambda module, q, k, v: module.flash_attention(q, k, v), sizes, MEASURED, "flash_attention")


def test_how_much_memory_it_takes_here(student, kernel):
    """For your eyes: how its memory grows with the length (one head of width 32)"""
    one = np.ones((1, 1, 1, 1), np.float32)
    assert_close(student.flash_attention(one, one, 3 * one)[0], 3 * one)

    def draw(length):
        return lambda rng: tuple(rng.standard_normal((1, 1, length, 32), np.float32) for _ in range(3))

    sizes = {length: draw(length) for length in (256, 512, 1024, 2048)}
    kernel.look_at_memory(lambda module, q, k, v: module.flash_attention(q, k, v), sizes, "flash_attention")
