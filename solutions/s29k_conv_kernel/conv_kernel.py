"""Section 29k: convolution as matrix products over windows that stay in the cache."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

LEADERBOARD = False
CACHE = 1 << 20  # bytes of windows at a time: about what the second level of a cache holds


def _number(*arrays: np.ndarray) -> tuple[np.dtype, np.dtype]:
    """The dtype of the result, and the one to compute in: sums of float16 are kept in float32."""
    kind = np.result_type(*arrays)
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    return kind, np.promote_types(kind, np.float32)


def _check(x: np.ndarray, w: np.ndarray, stride: int, padding: int, dilation: int, groups: int) -> tuple[int, int]:
    """Refuse what does not fit; return the size of the output."""
    if x.ndim != 4:
        raise ValueError(f"x has shape {x.shape}; expected (N, C, H, W)")
    if w.ndim != 4:
        raise ValueError(f"w has shape {w.shape}; expected (O, C / groups, kh, kw)")
    for name, value, least in (("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)):
        if value < least:
            raise ValueError(f"{name} is {value}; expected a whole number from {least} on")
    if groups < 1 or x.shape[1] % groups or w.shape[0] % groups:
        raise ValueError(f"groups is {groups}; it must divide {x.shape[1]} channels and {w.shape[0]} filters")
    if w.shape[1] != x.shape[1] // groups:
        raise ValueError(f"w takes {w.shape[1]} channels; {x.shape[1]} channels in {groups} groups were expected")
    sizes = [n + 2 * padding - dilation * (k - 1) for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    if min(sizes) < 1:
        raise ValueError(f"w with dilation {dilation} is larger than the padded image {x.shape[2:]}")
    return (sizes[0] - 1) // stride + 1, (sizes[1] - 1) // stride + 1


def _windows(x: np.ndarray, w: np.ndarray, stride: int, padding: int, dilation: int) -> np.ndarray:
    """All windows of padded images as a view (N, C, kh, kw, Ho, Wo): nothing but the padding is copied."""
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    reach = tuple(dilation * (k - 1) + 1 for k in w.shape[2:])
    views = sliding_window_view(x, reach, axis=(2, 3))[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return views.transpose(0, 1, 4, 5, 2, 3)


def _bands(windows: np.ndarray, inner: np.dtype) -> Iterator[tuple[int, slice]]:
    """Cut the work into images and bands of output rows whose windows stay in the cache."""
    N, C, kh, kw, Ho, Wo = windows.shape
    height = max(1, CACHE // (C * kh * kw * Wo * inner.itemsize))
    for image in range(N):
        for top in range(0, Ho, height):
            yield image, slice(top, min(top + height, Ho))


def conv2d_fast(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> np.ndarray:
    """Return the cross-correlation of images with filters, plus a bias for each filter.

    Args:
        x: images (N, C, H, W).
        w: filters (O, C / groups, kh, kw).
        b: one number for each filter, (O,).
        stride: step of the windows, from 1 on.
        padding: rows and columns of zeros around each image, from 0 on.
        dilation: distance between the taps of a filter, from 1 on.
        groups: divides C and O; filters of group g see the channels of group g only.

    Returns:
        (N, O, Ho, Wo) with Ho = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1, Wo alike. float32 for float32,
        float16 for float16 (summed in float32), float64 for float64 and whole numbers. N may be 0.

    Raises:
        ValueError: `x` or `w` has not four axes; `w` or `b` does not fit; `groups` does not divide; `stride`,
            `padding` or `dilation` is too small; `w` is larger than the padded image. The text names the argument.

    Source: Chellapilla, Puri and Simard 2006 (convolution as a matrix product).
    """
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    if b.shape != w.shape[:1]:
        raise ValueError(f"b has shape {b.shape}; expected one number for each of the {w.shape[0]} filters")
    kind, inner = _number(x, w, b)
    N, K = x.shape[0], w.shape[0]
    windows = _windows(x, w, stride, padding, dilation)
    rows = w.reshape(groups, K // groups, -1).astype(inner, copy=False)
    out = np.empty((N, K, Ho, Wo), inner)
    for image, band in _bands(windows, inner):
        columns = windows[image, ..., band, :].astype(inner).reshape(groups, rows.shape[2], -1)
        out[image, :, band] = (rows @ columns).reshape(K, -1, Wo)
    out += b.astype(inner)[:, None, None]
    return out.astype(kind, copy=False)


def conv2d_fast_backward(
    upstream: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of sum(upstream * conv2d_fast(x, w, b, ...)) for x, w and b.

    Args:
        upstream: gradient of the output, (N, O, Ho, Wo).
        x: images, as in the forward pass.
        w: filters, as in the forward pass.
        stride: as in the forward pass.
        padding: as in the forward pass.
        dilation: as in the forward pass.
        groups: as in the forward pass.

    Returns:
        (dx, dw, db) with the shapes of x, w and b; dtypes as in the forward pass.

    Raises:
        ValueError: as in the forward pass; `upstream` has not the shape of the output.
    """
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    N, K, (C, H, W) = x.shape[0], w.shape[0], x.shape[1:]
    if upstream.shape != (N, K, Ho, Wo):
        raise ValueError(f"upstream has shape {upstream.shape}; the output has {(N, K, Ho, Wo)}")
    kind, inner = _number(upstream, x, w)
    kh, kw = w.shape[2:]
    windows = _windows(x, w, stride, padding, dilation)
    across = w.reshape(groups, K // groups, -1).astype(inner, copy=False).transpose(0, 2, 1)
    dw = np.zeros((groups, K // groups, C // groups * kh * kw), inner)
    dx = np.zeros((N, C, H + 2 * padding, W + 2 * padding), inner)
    for image, band in _bands(windows, inner):
        flow = upstream[image, :, band].astype(inner, copy=False).reshape(groups, K // groups, -1)
        columns = windows[image, ..., band, :].astype(inner).reshape(groups, dw.shape[2], -1)
        dw += flow @ columns.transpose(0, 2, 1)
        taps = np.matmul(across, flow, out=columns).reshape(C, kh, kw, -1, Wo)
        for i in range(kh):  # windows overlap: their gradients are added, one offset of the kernel at a time
            for j in range(kw):
                top, left = band.start * stride + i * dilation, j * dilation
                below, right = top + stride * taps.shape[3], left + stride * Wo
                dx[image, :, top:below:stride, left:right:stride] += taps[:, i, j]
    dx = dx[:, :, padding : padding + H, padding : padding + W]
    db = upstream.sum(axis=(0, 2, 3), dtype=inner)
    return tuple(np.ascontiguousarray(g, kind) for g in (dx, dw.reshape(w.shape), db))
