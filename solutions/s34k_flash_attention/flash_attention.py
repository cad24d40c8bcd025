"""Section 34k: attention tile by tile, forward and backward, with memory that grows like the sequence."""

import numpy as np

LEADERBOARD = False


def _check(q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool, block: int) -> np.dtype:
    """Refuse what does not fit; return the dtype to compute in: float16 is kept in float32."""
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim != 4:
            raise ValueError(f"{name} has shape {array.shape}; expected (B, H, length, width)")
    if k.shape[:2] != q.shape[:2] or k.shape[3] != q.shape[3]:
        raise ValueError(f"k has shape {k.shape}; it must share B, H and D with q {q.shape}")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"v has shape {v.shape}; it must share B, H and S with k {k.shape}")
    if causal and q.shape[2] > k.shape[2]:
        raise ValueError(f"causal with {q.shape[2]} queries and {k.shape[2]} keys leaves queries without any key")
    if block < 1:
        raise ValueError(f"block is {block}; expected a whole number from 1 on")
    kind = np.result_type(q, k, v)
    return np.promote_types(kind if kind.kind == "f" else np.dtype(np.float64), np.float32)


def _hide_later(scores: np.ndarray, row: int, column: int, ahead: int) -> None:
    """Set to -inf the scores of a tile whose key lies after the query; the last query sees the last key."""
    rows, columns = scores.shape
    if column + columns - 1 > row + ahead:
        later = np.arange(column, column + columns) > np.arange(row, row + rows)[:, None] + ahead
        scores[later] = -np.inf


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
    inner = _check(q, k, v, causal, block)
    (B, H, L, D), (S, Dv) = q.shape, v.shape[2:]
    kind, scale, ahead = np.result_type(q, k, v), inner.type(1 / np.sqrt(D)), S - L
    out, lse = np.empty((B, H, L, Dv), kind if kind.kind == "f" else inner), np.empty((B, H, L), inner)
    for head in np.ndindex(B, H):
        keys, values = k[head].astype(inner, copy=False), v[head].astype(inner, copy=False)
        for row in range(0, L, block):
            rows = q[head][row : row + block].astype(inner) * scale
            top = np.full((len(rows), 1), -np.inf, inner)
            total, sums = np.zeros((len(rows), 1), inner), np.zeros((len(rows), Dv), inner)
            last = min(S, row + len(rows) + ahead) if causal else S
            for column in range(0, last, block):
                scores = rows @ keys[column : min(column + block, last)].T
                if causal:
                    _hide_later(scores, row, column, ahead)
                higher = np.maximum(top, scores.max(axis=1, keepdims=True))
                shrink = np.exp(top - higher)
                np.exp(np.subtract(scores, higher, out=scores), out=scores)
                total = total * shrink + scores.sum(axis=1, keepdims=True)
                sums *= shrink
                sums += scores @ values[column : min(column + block, last)]
                top = higher
            out[head][row : row + block] = sums / total
            lse[head][row : row + block] = (top + np.log(total))[:, 0]
    return out, lse


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
    inner = _check(q, k, v, causal, block)
    (L, D), S = q.shape[2:], k.shape[2]
    for name, array, shape in (
        ("upstream", upstream, (*q.shape[:3], v.shape[3])),
        ("out", out, (*q.shape[:3], v.shape[3])),
        ("logsumexp", logsumexp, q.shape[:3]),
    ):
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    kind, scale, ahead = np.result_type(q, k, v), inner.type(1 / np.sqrt(D)), S - L
    kind = kind if kind.kind == "f" else inner
    dq, dk, dv = (np.zeros(array.shape, kind) for array in (q, k, v))
    for head in np.ndindex(q.shape[:2]):
        keys, values = k[head].astype(inner, copy=False), v[head].astype(inner, copy=False)
        dkeys, dvalues = np.zeros_like(keys), np.zeros_like(values)
        for row in range(0, L, block):
            part = slice(row, row + block)
            rows, flow = q[head][part].astype(inner) * scale, upstream[head][part].astype(inner, copy=False)
            shift = logsumexp[head][part].astype(inner)[:, None]
            pull = (flow * out[head][part]).sum(axis=1, keepdims=True, dtype=inner)
            drows = np.zeros_like(rows)
            last = min(S, row + len(rows) + ahead) if causal else S
            for column in range(0, last, block):
                tile = slice(column, min(column + block, last))
                scores = rows @ keys[tile].T
                if causal:
                    _hide_later(scores, row, column, ahead)
                weights = np.exp(np.subtract(scores, shift, out=scores), out=scores)
                dvalues[tile] += weights.T @ flow
                slopes = flow @ values[tile].T
                slopes -= pull
                slopes *= weights
                drows += slopes @ keys[tile]
                dkeys[tile] += slopes.T @ rows
            dq[head][part] = drows * scale
        dk[head], dv[head] = dkeys, dvalues
    return dq, dk, dv
