"""Section 29k on a GPU: convolution as an implicit matrix product in Triton: the windows are never stored.

Products of float32 are asked for as such ("ieee"): by default Triton rounds their factors to ten bits.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_tile(
    X, W, Bias, Y, C, H, Wd, F, Ho, Wo, pixels, stride, padding,
    xn, xc, xh, xw, yn, yc, yh, yw,
    KH: tl.constexpr, KW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """A tile of (pixels of the output) x (filters): for each offset of the filter, a product over the channels.

    W comes as (kh, kw, C, F), so that neighbouring filters lie next to each other.
    """
    pixel = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    filters = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    channels = tl.arange(0, DEPTH)
    n, row, column = pixel // (Ho * Wo), pixel // Wo % Ho, pixel % Wo
    image = n.to(tl.int64) * xn
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for offset in range(KH * KW):
        h, w = row * stride - padding + offset // KW, column * stride - padding + offset % KW
        inside = (h >= 0) & (h < H) & (w >= 0) & (w < Wd) & (pixel < pixels)
        places = X + (image + h * xh + w * xw)[:, None]
        weights = W + offset * C * F + filters[None, :]
        for start in range(0, C, DEPTH):
            c = start + channels
            x = tl.load(places + c[None, :] * xc, mask=inside[:, None] & (c[None, :] < C), other=0.0)
            weight = tl.load(weights + c[:, None] * F, mask=(filters[None, :] < F) & (c[:, None] < C), other=0.0)
            sums = tl.dot(x, weight, sums, input_precision="ieee")
    sums += tl.load(Bias + filters, mask=filters < F, other=0.0).to(tl.float32)[None, :]
    place = (n.to(tl.int64) * yn + row * yh + column * yw)[:, None] + filters[None, :] * yc
    tl.store(Y + place, sums.to(Y.dtype.element_ty), mask=(pixel[:, None] < pixels) & (filters[None, :] < F))


@triton.jit
def images_tile(
    Up, W, dX, C, H, Wd, F, Ho, Wo, pixels, stride, padding,
    un, uc, uh, uw, xn, xc, xh, xw,
    KH: tl.constexpr, KW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """A tile of (pixels of the image) x (channels) of dx: for each offset the position of the output that saw the pixel.

    W comes as (kh, kw, F, C).
    """
    pixel = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channels = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    some = tl.arange(0, DEPTH)
    n, row, column = pixel // (H * Wd), pixel // Wd % H, pixel % Wd
    image = n.to(tl.int64) * un
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for offset in range(KH * KW):
        h, w = row + padding - offset // KW, column + padding - offset % KW
        inside = (h >= 0) & (w >= 0) & (h % stride == 0) & (w % stride == 0) & (pixel < pixels)
        h, w = h // stride, w // stride
        inside = inside & (h < Ho) & (w < Wo)
        places = Up + (image + h * uh + w * uw)[:, None]
        weights = W + offset * F * C + channels[None, :]
        for start in range(0, F, DEPTH):
            o = start + some
            up = tl.load(places + o[None, :] * uc, mask=inside[:, None] & (o[None, :] < F), other=0.0)
            weight = tl.load(weights + o[:, None] * C, mask=(channels[None, :] < C) & (o[:, None] < F), other=0.0)
            sums = tl.dot(up, weight, sums, input_precision="ieee")
    place = (n.to(tl.int64) * xn + row * xh + column * xw)[:, None] + channels[None, :] * xc
    tl.store(dX + place, sums.to(dX.dtype.element_ty), mask=(pixel[:, None] < pixels) & (channels[None, :] < C))


@triton.jit
def filters_tile(
    Up, X, dW, C, H, Wd, F, Ho, Wo, pixels, stride, padding,
    un, uc, uh, uw, xn, xc, xh, xw, parts,
    KH: tl.constexpr, KW: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """A tile of (filters) x (channels) of dw at one offset, over a part of the pixels; parts are added by atomics."""
    filters = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channels = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    offset, part = tl.program_id(2) % (KH * KW), tl.program_id(2) // (KH * KW)
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(part * DEPTH, pixels, parts * DEPTH):
        pixel = start + tl.arange(0, DEPTH)
        n, row, column = pixel // (Ho * Wo), pixel // Wo % Ho, pixel % Wo
        h, w = row * stride - padding + offset // KW, column * stride - padding + offset % KW
        inside = (h >= 0) & (h < H) & (w >= 0) & (w < Wd) & (pixel < pixels)
        place = (n.to(tl.int64) * un + row * uh + column * uw)[None, :] + filters[:, None] * uc
        up = tl.load(Up + place, mask=(filters[:, None] < F) & (pixel[None, :] < pixels), other=0.0)
        place = (n.to(tl.int64) * xn + h * xh + w * xw)[:, None] + channels[None, :] * xc
        x = tl.load(X + place, mask=inside[:, None] & (channels[None, :] < C), other=0.0)
        sums = tl.dot(up, x, sums, input_precision="ieee")
    place = (filters[:, None] * C + channels[None, :]) * (KH * KW) + offset
    tl.atomic_add(dW + place, sums, mask=(filters[:, None] < F) & (channels[None, :] < C))


def _check(x: torch.Tensor, w: torch.Tensor, stride: int, padding: int) -> tuple[int, int]:
    for name, tensor in (("x", x), ("w", w)):
        if tensor.ndim != 4:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected four axes")
    if w.device != x.device or w.dtype != x.dtype:
        raise ValueError(f"w is {w.dtype} on {w.device}; x is {x.dtype} on {x.device}")
    if w.shape[1] != x.shape[1]:
        raise ValueError(f"w takes {w.shape[1]} channels; x has {x.shape[1]}")
    if stride < 1:
        raise ValueError(f"stride is {stride}; expected a whole number from 1 on")
    if padding < 0:
        raise ValueError(f"padding is {padding}; expected a whole number from 0 on")
    sizes = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    if min(sizes) < 1:
        raise ValueError(f"w is larger than the padded image {tuple(x.shape[2:])}")
    return sizes[0], sizes[1]


def _side(size: int, most: int) -> int:
    """A side of a tile: a power of two from 16 on, no larger than useful."""
    return max(16, min(most, triton.next_power_of_2(size)))


def conv2d(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, stride: int = 1, padding: int = 0) -> torch.Tensor:
    """Return the cross-correlation with a bias, for float32, float16 and bfloat16; the layout of x is kept."""
    Ho, Wo = _check(x, w, stride, padding)
    (N, C, H, W), (F, _, kh, kw) = x.shape, w.shape
    if b.shape != (F,):
        raise ValueError(f"b has shape {tuple(b.shape)}; expected one number for each of the {F} filters")
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    y = torch.empty((N, F, Ho, Wo), dtype=x.dtype, device=x.device)
    y = y.to(memory_format=torch.channels_last) if last else y
    pixels = N * Ho * Wo
    if pixels:
        rows, columns = _side(pixels, 128), _side(F, 64)
        forward_tile[(triton.cdiv(pixels, rows), triton.cdiv(F, columns))](
            x, w.permute(2, 3, 1, 0).contiguous(), b.contiguous(), y, C, H, W, F, Ho, Wo, pixels, stride, padding,
            *x.stride(), *y.stride(), kh, kw, rows, columns, _side(C, 32), num_warps=4, num_stages=3,
        )  # fmt: skip
    return y


def conv2d_backward(
    upstream: torch.Tensor, x: torch.Tensor, w: torch.Tensor, stride: int = 1, padding: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (dx, dw, db), summed in float32."""
    Ho, Wo = _check(x, w, stride, padding)
    (N, C, H, W), (F, _, kh, kw) = x.shape, w.shape
    if upstream.shape != (N, F, Ho, Wo):
        raise ValueError(f"upstream has shape {tuple(upstream.shape)}; the output has {(N, F, Ho, Wo)}")
    dx, dw = torch.empty_like(x), torch.zeros(w.shape, dtype=torch.float32, device=w.device)
    db = upstream.sum(dim=(0, 2, 3), dtype=torch.float32).to(w.dtype)
    if N:
        sizes = C, H, W, F, Ho, Wo
        rows, columns = _side(N * H * W, 128), _side(C, 64)
        images_tile[(triton.cdiv(N * H * W, rows), triton.cdiv(C, columns))](
            upstream, w.permute(2, 3, 0, 1).contiguous(), dx, *sizes, N * H * W, stride, padding, *upstream.stride(),
            *dx.stride(), kh, kw, rows, columns, _side(F, 32), num_warps=4, num_stages=3,
        )  # fmt: skip
        rows, columns, depth = _side(F, 64), _side(C, 64), _side(N * Ho * Wo, 32)
        parts = max(1, min(32, triton.cdiv(N * Ho * Wo, 16 * depth)))
        filters_tile[(triton.cdiv(F, rows), triton.cdiv(C, columns), kh * kw * parts)](
            upstream, x, dw, *sizes, N * Ho * Wo, stride, padding, *upstream.stride(), *x.stride(), parts,
            kh, kw, rows, columns, depth, num_warps=4, num_stages=3,
        )  # fmt: skip
    return dx, dw.to(w.dtype), db
