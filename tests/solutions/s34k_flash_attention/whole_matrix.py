"""The formula as it stands: all scores of all heads at once."""

import numpy as np

LEADERBOARD = False


def _check(q, k, v, causal, block):
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim != 4:
            raise ValueError(f"{name}: four axes, not {array.ndim}")
    if q.shape[:2] != k.shape[:2] or q.shape[3] != k.shape[3]:
        raise ValueError("k: does not fit q")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError("v: does not fit k")
    if causal and k.shape[2] < q.shape[2]:
        raise ValueError("causal: fewer keys than queries")
    if block < 1:
        raise ValueError("block: below 1")


def _kinds(*arrays):
    kind = np.result_type(*arrays)
    if kind.kind != "f":
        kind = np.dtype(float)
    return kind, np.promote_types(kind, np.float32)


def flash_attention(q, k, v, causal=False, block=256):
    _check(q, k, v, causal, block)
    kind, inner = _kinds(q, k, v)
    Q, K, V = (array.astype(inner) for array in (q, k, v))
    (B, H, L, D), (S, Dv) = Q.shape, V.shape[2:]
    scale = inner.type(1 / np.sqrt(D))
    out, lse = np.zeros((B, H, L, Dv), inner), np.zeros((B, H, L), inner)
    scores = Q @ np.swapaxes(K, -1, -2) * scale
    if causal:
        scores = np.where(np.tri(L, S, S - L, dtype=bool), scores, -np.inf)
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - top)
    total = weights.sum(-1, keepdims=True)
    out, lse = (weights / total) @ V, (top + np.log(total))[..., 0]
    return out.astype(kind), lse


def flash_attention_backward(upstream, q, k, v, out, logsumexp, causal=False, block=256):
    _check(q, k, v, causal, block)
    for name, array, shape in (
        ("upstream", upstream, q.shape[:3] + v.shape[3:]),
        ("out", out, q.shape[:3] + v.shape[3:]),
        ("logsumexp", logsumexp, q.shape[:3]),
    ):
        if array.shape != shape:
            raise ValueError(f"{name}: not of shape {shape}")
    kind, inner = _kinds(q, k, v)
    U, Q, K, V, R, lse = (array.astype(inner) for array in (upstream, q, k, v, out, logsumexp))
    (_B, _H, L, D), (S, _Dv) = Q.shape, V.shape[2:]
    scale = inner.type(1 / np.sqrt(D))
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    pull = (U * R).sum(-1)
    scores = Q @ np.swapaxes(K, -1, -2) * scale
    if causal:
        scores = np.where(np.tri(L, S, S - L, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - lse[..., None])
    slopes = weights * (U @ np.swapaxes(V, -1, -2) - pull[..., None]) * scale
    dQ, dK, dV = slopes @ K, np.swapaxes(slopes, -1, -2) @ Q, np.swapaxes(weights, -1, -2) @ U
    return dQ.astype(kind), dK.astype(kind), dV.astype(kind)
