"""What a kernel on a device must compute, and how far rounding may take it from that: models in float64.

Inputs come rounded to the kind of number that is asked for; the models compute with exactly these, in float64, on the
grader's side. Bounds follow the rounding that no honest kernel avoids: sums in float32, operands of tensor cores rounded
to the kind of the inputs, one rounding of the result. They hold for each entry by itself, so that a lower precision shows
where numbers are small too.

A sum of K rounded products errs by about u * 0.3 * sum |products| in float32 when its terms have mixed signs; SUMS is some
forty times that. What is rounded before a product errs by about u * sqrt(sum of squares); ROUNDED is eight times that, of
which the largest of a million entries reaches five.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d

UNIT = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}  # half a unit in the last place, of 1
LEAST = {"float32": 0.0, "float16": 2.0**-25, "bfloat16": 0.0}  # half the smallest number
ONCE = 1.05  # times the unit: the rounding of the result, and its neighbours
SUMS = 16 * UNIT["float32"]
ROUNDED = 8.0


@dataclass(frozen=True, slots=True)
class Expected:
    """One output: its name, what is right, and how far each entry may lie from it."""

    name: str
    right: torch.Tensor
    bound: torch.Tensor


def kind_of(tensor: torch.Tensor) -> str:
    """The name of a tensor's kind of number."""
    return str(tensor.dtype).removeprefix("torch.")


def convolution(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, stride: int, padding: int) -> list[Expected]:
    """Return what `conv2d` must return."""
    right, most = (
        conv2d(*(change(tensor.double()) for tensor in (x, w, b)), stride, padding) for change in (_itself, torch.abs)
    )
    return [_expected("conv2d", right, SUMS * most, kind_of(x))]


def convolution_backward(
    upstream: torch.Tensor, x: torch.Tensor, w: torch.Tensor, stride: int, padding: int
) -> list[Expected]:
    """Return what `conv2d_backward` must return."""
    right, most = (
        torch.ops.aten.convolution_backward(
            *(change(tensor.double()) for tensor in (upstream, x, w)), [w.shape[0]], [stride] * 2, [padding] * 2,
            [1, 1], False, [0, 0], 1, [True] * 3,
        )
        for change in (_itself, torch.abs)
    )  # fmt: skip
    return [
        _expected(name, value, SUMS * bound, kind_of(x))
        for name, value, bound in zip(("dx", "dw", "db"), right, most, strict=True)
    ]


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> list[Expected]:
    """Return what `flash_attention` must return: the output, and the logsumexp in float32."""
    kind = kind_of(q)
    parts = [
        (head.out, _rounded(kind, head.weights, head.v) + SUMS * (1 + head.scores) * head.spread,
         head.sums, SUMS * (1 + head.scores[..., 0] + head.sums.abs()))
        for head in _heads(q, k, v, causal)
    ]  # fmt: skip
    out, bound, sums, sums_bound = (_joined(q, entries) for entries in zip(*parts, strict=True))
    return [_expected("out", out, bound, kind), _expected("logsumexp", sums, sums_bound, "float32")]


def attention_both(
    upstream: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool
) -> list[Expected]:
    """Return what `flash_attention` and `flash_attention_backward` after it must return: (out, dq, dk, dv)."""
    kind, unit, scale = kind_of(q), UNIT[kind_of(q)], 1.0 / math.sqrt(q.shape[-1])
    ups, parts = upstream.double().flatten(0, 1), []
    for up, head in zip(ups, _heads(q, k, v, causal), strict=True):
        pulls = (up * head.out).sum(-1, keepdim=True)
        slopes = head.weights * (up @ head.v.T - pulls)
        # `out` comes with its errors, which move all slopes of a row together; products and sums of float32 move each.
        moved = ROUNDED * unit * (up**2 * head.out**2).sum(-1, keepdim=True).sqrt()
        moved += SUMS * (1 + head.scores) * (up.abs() * head.spread).sum(-1, keepdim=True)
        rows = up.norm(dim=-1, keepdim=True) * head.v.norm(dim=-1).max()
        loose = SUMS * scale * (slopes.abs() * (1 + head.scores) + head.weights * rows)
        dq = scale * (_rounded(kind, slopes, head.k) + moved * (head.weights @ head.k).abs())
        dk = scale * (_rounded(kind, slopes.T, head.q) + (head.weights.T**2 @ (moved * head.q) ** 2).sqrt())
        dv = _rounded(kind, head.weights.T, up) + SUMS * (head.weights * (1 + head.scores)).T @ up.abs()
        spread = SUMS * (1 + head.scores) * head.spread + _rounded(kind, head.weights, head.v)
        parts.append(
            (head.out, spread, scale * slopes @ head.k, dq + loose @ head.k.abs(), scale * slopes.T @ head.q,
             dk + loose.T @ head.q.abs(), head.weights.T @ up, dv)
        )  # fmt: skip
    joined = [_joined(q, entries) for entries in zip(*parts, strict=True)]
    names = ("out", "dq", "dk", "dv")
    return [
        _expected(name, right, bound, kind) for name, right, bound in zip(names, joined[::2], joined[1::2], strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Head:
    """One head of attention in float64."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    weights: torch.Tensor
    out: torch.Tensor
    sums: torch.Tensor  # logsumexp of each row
    scores: torch.Tensor  # how large the scores of a row can be: (rows, 1)
    spread: torch.Tensor  # weights @ |v|


def _heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> Iterator[_Head]:
    """Each head by itself: all of them at once would not fit."""
    for head in zip(*(tensor.double().flatten(0, 1) for tensor in (q, k, v)), strict=True):
        rows, keys, values = head
        scale = 1.0 / math.sqrt(rows.shape[-1])
        scores = rows @ keys.T * scale
        if causal:
            seen = torch.ones(scores.shape, dtype=torch.bool, device=q.device).tril(len(keys) - len(rows))
            scores = scores.masked_fill(~seen, -math.inf)
        weights = torch.softmax(scores, -1)
        size = scale * rows.norm(dim=-1, keepdim=True) * keys.norm(dim=-1).max()
        yield _Head(rows, keys, values, weights, weights @ values, scores.logsumexp(-1), size, weights @ values.abs())


def _expected(name: str, right: torch.Tensor, bound: torch.Tensor, kind: str) -> Expected:
    return Expected(name, right, bound + ONCE * UNIT[kind] * right.abs() + LEAST[kind])


def _joined(q: torch.Tensor, heads: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(heads)).unflatten(0, q.shape[:2])


def _rounded(kind: str, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """What rounding the first factor does to a product."""
    return ROUNDED * ((UNIT[kind] ** 2 * one**2 + LEAST[kind] ** 2) @ other**2).sqrt()


def _itself(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
