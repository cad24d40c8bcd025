"""Section 34k: attention without the n x n matrix."""

import numpy as np

LEADERBOARD = False  # True puts your time on the course's board


def flash_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False, block: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Return softmax(q k^T / sqrt(D)) v, and the logsumexp of each row of scores, without ever holding all scores.

    Args:
        q: queries (B, H, L, D).
        k: keys (B, H, S, D).
        v: values (B, H, S, Dv).
        causal: whether query i sees the keys up to i + S - L only: the last query sees all.
        block: rows and columns of a tile; changes the speed, never the result. It need not divide L or S.

    Returns:
        out (B, H, L, Dv) and logsumexp (B, H, L). float32 for float32, float64 for float64 and whole numbers; for
        float16 `out` is float16 and `logsumexp` float32, and everything is summed in float32.

    Raises:
        ValueError: `q`, `k` or `v` has not four axes; `k` or `v` does not fit; `causal` with more queries than keys;
            `block` below 1. The text names the argument.

    Source: Milakov and Gimelshein 2018 (online softmax); Dao and others 2022 (FlashAttention).
    """
    raise NotImplementedError("section 34k: write flash_attention")


def flash_attention_backward(
    upstream: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    logsumexp: np.ndarray,
    causal: bool = False,
    block: int = 256,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of sum(upstream * out) for q, k and v; the weights are computed anew, tile by tile.

    Args:
        upstream: gradient of `out`, (B, H, L, Dv).
        q: queries, as in the forward pass.
        k: keys, as in the forward pass.
        v: values, as in the forward pass.
        out: first result of the forward pass.
        logsumexp: second result of the forward pass.
        causal: as in the forward pass.
        block: as in the forward pass.

    Returns:
        (dq, dk, dv) with the shapes of q, k and v; dtypes as `out` in the forward pass.

    Raises:
        ValueError: as in the forward pass; `upstream`, `out` or `logsumexp` has another shape than it should.
    """
    raise NotImplementedError("section 34k: write flash_attention_backward")
