"""Section 34: attention with masks, its gradients, several heads, and positions."""

import numpy as np


def attention(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Let every query take a weighted mean of the values: softmax(Q K^T / sqrt(d_k)) V.

    Args:
        Q: queries, (..., L, d_k). The leading axes, none or several, are batches: each is computed by itself.
        K: keys, (..., S, d_k), with the same leading axes.
        V: values, (..., S, d_v), with the same leading axes. Q, K and V are all float32, all float64 or all int64.
        mask: bool, True where the query of that row may look at the key of that column. Any shape that broadcasts to
            (..., L, S). Without it every query may look at every key.

    Returns:
        out, (..., L, d_v), and weights, (..., L, S), as two new arrays. The weights of a query are positive or 0 and
        sum to 1; a key that it may not look at has weight exactly 0, whatever its score. A query that may look at no
        key at all has weights 0 and output 0, without a warning. Scores of any size are harmless. float32 gives
        float32, everything else float64.

    Raises:
        ValueError: K has another d_k than Q; the text says K.

    Source: section 34; Vaswani and others 2017, equation 1.
    """
    raise NotImplementedError("section 34: write attention")


def attention_backward(
    upstream: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send a gradient back through attention, from its output to queries, keys and values.

    Args:
        upstream: dL/d out, (..., L, d_v), in the dtype of Q.
        Q: as in `attention`, float32 or float64.
        K: as in `attention`.
        V: as in `attention`.
        mask: as in `attention`.

    Returns:
        dQ, dK and dV, in the shapes and the dtype of Q, K and V. A query that may look at no key gets gradient 0 and
        gives none; so does a key that nobody may look at.

    Raises:
        ValueError: K has another d_k than Q; the text says K.

    Source: section 34; section 14 for the gradient through softmax.
    """
    raise NotImplementedError("section 34: write attention_backward")


def causal_mask(L: int, S: int | None = None) -> np.ndarray:
    """Return the mask under which no token looks at a later one.

    Args:
        L: number of queries, at least 1.
        S: number of keys; without it L. The queries belong to the *last* L of the S tokens, so the last query may look
            at all keys, and each one before it at one key less.

    Returns:
        bool, (L, S): True where the query may look. A token may always look at itself.

    Raises:
        ValueError: L is greater than S; the text says L.

    Source: section 34; Vaswani and others 2017, section 3.2.3.
    """
    raise NotImplementedError("section 34: write causal_mask")


def multi_head(
    X: np.ndarray,
    Wq: np.ndarray,
    Wk: np.ndarray,
    Wv: np.ndarray,
    Wo: np.ndarray,
    heads: int,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Self-attention with several heads: each looks at the same tokens through features of its own.

    Queries, keys and values are X Wq^T, X Wk^T and X Wv^T. Head j takes the features j * d to (j + 1) * d - 1 of each
    of the three, where d = D / heads, and puts its output into the same places. What all heads put out is multiplied
    by Wo^T.

    Args:
        X: sequences of tokens, (N, L, D), float32 or float64.
        Wq: weights of the queries, (D, D), as all weights in the dtype of X.
        Wk: weights of the keys, (D, D).
        Wv: weights of the values, (D, D).
        Wo: weights of the output, (D, D).
        heads: number of heads, at least 1.
        mask: bool, True where a token may look; the same for all heads. (L, L) for all sequences, or with one mask for
            every sequence: (N, L, L), or (N, 1, L) where a sequence has one row for all its queries.

    Returns:
        (N, L, D), a new array in the dtype of X.

    Raises:
        ValueError: heads does not divide D; the text says heads.

    Source: section 34; Vaswani and others 2017, section 3.2.2, without biases.
    """
    raise NotImplementedError("section 34: write multi_head")


def sinusoidal_positions(L: int, D: int) -> np.ndarray:
    """Return a code for every position, to be added to the tokens: sines and cosines of falling frequency.

    Position p, counted from 0, has sin(p / 10000^(2i / D)) in column 2i and the cosine of the same angle in column
    2i + 1, for i = 0, 1, ..., D/2 - 1.

    Args:
        L: number of positions, at least 1.
        D: number of columns, even, at least 2.

    Returns:
        (L, D), float64.

    Raises:
        ValueError: D is odd; the text says D.

    Source: section 34; Vaswani and others 2017, section 3.5.
    """
    raise NotImplementedError("section 34: write sinusoidal_positions")
