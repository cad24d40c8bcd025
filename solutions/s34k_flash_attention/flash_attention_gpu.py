"""Section 34k on a GPU: attention tile by tile in Triton, forward and backward.

Products of float32 are asked for as such ("ieee"): by default Triton rounds their factors to ten bits.
"""

import math

import torch
import triton
import triton.language as tl

LOG2E = 1.4426950408889634


@triton.jit
def forward_tile(
    Q, K, V, Out, Lse, scale, heads, L, S,
    D: tl.constexpr, DV: tl.constexpr, WIDTH: tl.constexpr, WIDTH_V: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """One block of queries against all tiles of keys, by online softmax; powers of two, so the scale holds log2(e)."""
    block, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, columns = block * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    d, dv = tl.arange(0, WIDTH), tl.arange(0, WIDTH_V)
    q = tl.load(
        Q + head * L * D + rows[:, None] * D + d[None, :], mask=(rows[:, None] < L) & (d[None, :] < D), other=0.0
    )
    top = tl.full((ROWS,), -float("inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    sums = tl.zeros((ROWS, WIDTH_V), tl.float32)
    last = S
    if CAUSAL:
        last = tl.minimum(S, (block + 1) * ROWS + S - L)
    for start in range(0, last, COLUMNS):
        place = start + columns
        k = tl.load(
            K + head * S * D + place[None, :] * D + d[:, None], mask=(place[None, :] < S) & (d[:, None] < D), other=0.0
        )
        scores = tl.dot(q, k, input_precision="ieee") * scale
        seen = place[None, :] < S
        if CAUSAL:
            seen = seen & (place[None, :] <= rows[:, None] + S - L)
        scores = tl.where(seen, scores, -float("inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        # Rows beyond L see nothing in a causal tile: their maximum stays -inf, and nobody reads them.
        weights = tl.math.exp2(scores - tl.where(higher == -float("inf"), 0.0, higher)[:, None])
        shrink = tl.math.exp2(tl.where(higher == -float("inf"), 0.0, top - higher))
        total = total * shrink + tl.sum(weights, 1)
        v = tl.load(
            V + head * S * DV + place[:, None] * DV + dv[None, :],
            mask=(place[:, None] < S) & (dv[None, :] < DV),
            other=0.0,
        )
        sums = sums * shrink[:, None]
        sums = tl.dot(weights.to(v.dtype), v, sums, input_precision="ieee")
        top = higher
    out = sums / total[:, None]
    tl.store(
        Out + head * L * DV + rows[:, None] * DV + dv[None, :],
        out.to(Out.dtype.element_ty),
        mask=(rows[:, None] < L) & (dv[None, :] < DV),
    )
    tl.store(Lse + head * L + rows, (top + tl.math.log2(total)) / 1.4426950408889634, mask=rows < L)


@triton.jit
def row_sums(Up, Out, Pull, L, DV: tl.constexpr, WIDTH_V: tl.constexpr, ROWS: tl.constexpr):
    """The row sums of upstream * out, which softmax takes off."""
    block, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, dv = block * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDTH_V)
    place, mask = head * L * DV + rows[:, None] * DV + dv[None, :], (rows[:, None] < L) & (dv[None, :] < DV)
    up, out = (
        tl.load(Up + place, mask=mask, other=0.0).to(tl.float32),
        tl.load(Out + place, mask=mask, other=0.0).to(tl.float32),
    )
    tl.store(Pull + head * L + rows, tl.sum(up * out, 1), mask=rows < L)


@triton.jit
def backward_keys(
    Q, K, V, Up, Lse, Pull, dK, dV, scale, heads, L, S,
    D: tl.constexpr, DV: tl.constexpr, WIDTH: tl.constexpr, WIDTH_V: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """dk and dv of one tile of keys, over all blocks of queries that see it."""
    tile, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    place, rows0 = tile * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, ROWS)
    d, dv = tl.arange(0, WIDTH), tl.arange(0, WIDTH_V)
    k = tl.load(
        K + head * S * D + place[:, None] * D + d[None, :], mask=(place[:, None] < S) & (d[None, :] < D), other=0.0
    )
    v = tl.load(
        V + head * S * DV + place[:, None] * DV + dv[None, :], mask=(place[:, None] < S) & (dv[None, :] < DV), other=0.0
    )
    keys, values = tl.zeros((COLUMNS, WIDTH), tl.float32), tl.zeros((COLUMNS, WIDTH_V), tl.float32)
    first = 0
    if CAUSAL:
        first = tl.maximum(0, tile * COLUMNS - (S - L)) // ROWS * ROWS
    for start in range(first, L, ROWS):
        rows = start + rows0
        q = tl.load(
            Q + head * L * D + rows[:, None] * D + d[None, :], mask=(rows[:, None] < L) & (d[None, :] < D), other=0.0
        )
        up = tl.load(
            Up + head * L * DV + rows[:, None] * DV + dv[None, :],
            mask=(rows[:, None] < L) & (dv[None, :] < DV),
            other=0.0,
        )
        lse = tl.load(Lse + head * L + rows, mask=rows < L, other=0.0) * 1.4426950408889634
        pull = tl.load(Pull + head * L + rows, mask=rows < L, other=0.0)
        seen = (place[:, None] < S) & (rows[None, :] < L)
        if CAUSAL:
            seen = seen & (place[:, None] <= rows[None, :] + S - L)
        weights = tl.where(
            seen,
            tl.math.exp2(tl.dot(k, tl.trans(q), input_precision="ieee") * (scale * 1.4426950408889634) - lse[None, :]),
            0.0,
        )
        values = tl.dot(weights.to(up.dtype), up, values, input_precision="ieee")
        slopes = weights * (tl.dot(v, tl.trans(up), input_precision="ieee") - pull[None, :])
        keys = tl.dot(slopes.to(q.dtype), q, keys, input_precision="ieee")
    tl.store(
        dK + head * S * D + place[:, None] * D + d[None, :],
        (keys * scale).to(dK.dtype.element_ty),
        mask=(place[:, None] < S) & (d[None, :] < D),
    )
    tl.store(
        dV + head * S * DV + place[:, None] * DV + dv[None, :],
        values.to(dV.dtype.element_ty),
        mask=(place[:, None] < S) & (dv[None, :] < DV),
    )


@triton.jit
def backward_queries(
    Q, K, V, Up, Lse, Pull, dQ, scale, heads, L, S,
    D: tl.constexpr, DV: tl.constexpr, WIDTH: tl.constexpr, WIDTH_V: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """dq of one block of queries, over all tiles of keys that it sees."""
    block, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows, columns = block * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    d, dv = tl.arange(0, WIDTH), tl.arange(0, WIDTH_V)
    q = tl.load(
        Q + head * L * D + rows[:, None] * D + d[None, :], mask=(rows[:, None] < L) & (d[None, :] < D), other=0.0
    )
    up = tl.load(
        Up + head * L * DV + rows[:, None] * DV + dv[None, :], mask=(rows[:, None] < L) & (dv[None, :] < DV), other=0.0
    )
    lse = tl.load(Lse + head * L + rows, mask=rows < L, other=0.0) * 1.4426950408889634
    pull = tl.load(Pull + head * L + rows, mask=rows < L, other=0.0)
    sums = tl.zeros((ROWS, WIDTH), tl.float32)
    last = S
    if CAUSAL:
        last = tl.minimum(S, (block + 1) * ROWS + S - L)
    for start in range(0, last, COLUMNS):
        place = start + columns
        k = tl.load(
            K + head * S * D + place[:, None] * D + d[None, :], mask=(place[:, None] < S) & (d[None, :] < D), other=0.0
        )
        v = tl.load(
            V + head * S * DV + place[:, None] * DV + dv[None, :],
            mask=(place[:, None] < S) & (dv[None, :] < DV),
            other=0.0,
        )
        seen = (place[None, :] < S) & (rows[:, None] < L)
        if CAUSAL:
            seen = seen & (place[None, :] <= rows[:, None] + S - L)
        weights = tl.where(
            seen,
            tl.math.exp2(tl.dot(q, tl.trans(k), input_precision="ieee") * (scale * 1.4426950408889634) - lse[:, None]),
            0.0,
        )
        slopes = weights * (tl.dot(up, tl.trans(v), input_precision="ieee") - pull[:, None])
        sums = tl.dot(slopes.to(k.dtype), k, sums, input_precision="ieee")
    tl.store(
        dQ + head * L * D + rows[:, None] * D + d[None, :],
        (sums * scale).to(dQ.dtype.element_ty),
        mask=(rows[:, None] < L) & (d[None, :] < D),
    )


def _widths(*widths: int) -> list[int]:
    """Tiles are powers of two, and no side of a product on tensor cores is below 16."""
    return [max(16, triton.next_power_of_2(width)) for width in widths]


def _warps(width: int, width_v: int) -> int:
    """With eight of them the sums of a wide head fit into registers."""
    return 4 if max(width, width_v) <= 64 else 8


def _check(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> None:
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.ndim != 4:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected (B, H, length, width)")
        if tensor.device != q.device or tensor.dtype != q.dtype:
            raise ValueError(f"{name} is {tensor.dtype} on {tensor.device}; q is {q.dtype} on {q.device}")
    if k.shape[:2] != q.shape[:2] or k.shape[3] != q.shape[3]:
        raise ValueError(f"k has shape {tuple(k.shape)}; it must share B, H and D with q {tuple(q.shape)}")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"v has shape {tuple(v.shape)}; it must share B, H and S with k {tuple(k.shape)}")
    if causal and q.shape[2] > k.shape[2]:
        raise ValueError(f"causal with {q.shape[2]} queries and {k.shape[2]} keys leaves queries without any key")


def flash_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False, block: int = 128
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return attention and the logsumexp of its rows, as on the CPU; for tensors of float32, float16 and bfloat16."""
    _check(q, k, v, causal)
    q, k, v = (tensor.contiguous() for tensor in (q, k, v))
    (B, H, L, D), (S, Dv) = q.shape, v.shape[2:]
    out, lse = q.new_empty((B, H, L, Dv)), q.new_empty((B, H, L), dtype=torch.float32)
    rows = max(16, triton.next_power_of_2(block))
    width, width_v = _widths(D, Dv)
    forward_tile[(triton.cdiv(L, rows), B * H)](
        q, k, v, out, lse, LOG2E / math.sqrt(D), H, L, S, D, Dv, width, width_v, rows, max(16, rows // 2), causal,
        num_warps=_warps(width, width_v), num_stages=3,
    )  # fmt: skip
    return out, lse


def flash_attention_backward(
    upstream: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor,
    logsumexp: torch.Tensor, causal: bool = False, block: int = 128,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return (dq, dk, dv), as on the CPU; the weights are computed anew."""
    _check(q, k, v, causal)
    for name, tensor, shape in (("upstream", upstream, out.shape), ("logsumexp", logsumexp, q.shape[:3])):
        if tensor.shape != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {tuple(shape)}")
    upstream, q, k, v, out, logsumexp = (tensor.contiguous() for tensor in (upstream, q, k, v, out, logsumexp))
    (B, H, L, D), (S, Dv) = q.shape, v.shape[2:]
    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    pull = torch.empty_like(logsumexp)
    rows = max(16, triton.next_power_of_2(block))
    width, width_v = _widths(D, Dv)
    row_sums[(triton.cdiv(L, rows), B * H)](upstream, out, pull, L, Dv, width_v, rows)
    shared = (1 / math.sqrt(D), H, L, S, D, Dv, width, width_v, max(16, rows // 2), max(16, rows // 2), causal)
    half = max(16, rows // 2)
    backward_keys[(triton.cdiv(S, half), B * H)](
        q, k, v, upstream, logsumexp, pull, dk, dv, *shared, num_warps=_warps(width, width_v), num_stages=2
    )
    backward_queries[(triton.cdiv(L, half), B * H)](
        q, k, v, upstream, logsumexp, pull, dq, *shared, num_warps=_warps(width, width_v), num_stages=2
    )
    return dq, dk, dv
