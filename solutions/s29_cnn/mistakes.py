"""Section 29: what people get wrong."""

import math

import numpy as np
from nnkit.grader.mistakes import edit, mistake
from numpy.lib.stride_tricks import sliding_window_view

# output_size

edit(
    "size_ceil",
    "output_size",
    says="Round down: after the last full step no window fits into what is left.",
    killed_by=["29.H4"],
    old="room // stride + 1",
    new="math.ceil(room / stride) + 1",
)
edit(
    "size_without_the_first",
    "output_size",
    says="You counted the steps. There is one position more than steps: the first one.",
    killed_by=["29.H4"],
    old="room // stride + 1",
    new="room // stride",
)
edit(
    "size_adds_one_before_dividing",
    "output_size",
    says="The + 1 belongs outside: it stands for the first position, which is not divided by the stride.",
    killed_by=["29.H4"],
    old="room // stride + 1",
    new="(room + 1) // stride",
)
edit(
    "size_pads_once",
    "output_size",
    says="The padding is added at both ends of a side.",
    killed_by=["29.H4"],
    old="2 * padding",
    new="padding",
)
edit(
    "size_is_a_float",
    "output_size",
    says="A number of positions is an int: it is going to be the length of an array.",
    killed_by=["29.H4"],
    old="return room // stride + 1",
    new="return float(room // stride + 1)",
)
edit(
    "size_of_nothing",
    "output_size",
    says="A kernel that does not fit even once must be refused. You return a size of 0 or less.",
    killed_by=["29.H11"],
    old="if room < 0:",
    new="if n < 1:",
)
edit(
    "size_forgets_the_padding_when_refusing",
    "output_size",
    says="A kernel larger than the image is welcome if it fits into the padded one.",
    killed_by=["29.H4", "29.H11"],
    old="if room < 0:",
    new="if k > n:",
)
edit(
    "size_with_any_stride",
    "output_size",
    says="A stride of 0 never gets anywhere, a negative one leaves the image. Refuse both and name stride.",
    killed_by=["29.H11"],
    old="if stride < 1:",
    new="if n < 1:",
)

# conv2d

edit(
    "true_convolution",
    "conv2d",
    says='Deep learning\'s "convolution" does not flip the kernel: entry (0, 0) lies on the upper left pixel of the window.',
    killed_by=["29.H1"],
    old="tensordot(windows, w, axes",
    new="tensordot(windows, w[:, :, ::-1, ::-1], axes",
)
edit(
    "kernel_transposed",
    "conv2d",
    says="Rows and columns of the kernel are exchanged: kh is its height and counts rows, kw its width.",
    killed_by=["29.H1"],
    old="windows = _padded_windows(x, w, stride, padding)",
    new="w = w.transpose(0, 1, 3, 2)\n    windows = _padded_windows(x, w, stride, padding)",
)
edit(
    "stride_ignored",
    "conv2d",
    says="The stride has no effect: with stride 2 every second position counts, in both directions.",
    killed_by=["29.H12"],
    old="windows = _padded_windows(x, w, stride, padding)",
    new="output_size(9, 1, stride)\n    windows = _padded_windows(x, w, 1, padding)",
)
edit(
    "stride_for_rows_only",
    "conv2d",
    says="The filter moves by the stride to the right as well as downwards.",
    killed_by=["29.H12"],
    old="windows = _padded_windows(x, w, stride, padding)",
    new="output_size(9, 1, stride)\n    windows = _padded_windows(x, w, 1, padding)[:, :, ::stride]",
)


def conv_of_padded(x, w, b, stride, padded):
    if x.shape[1] != w.shape[1]:
        raise ValueError("x and w must have as many channels as each other")
    windows = _windows(padded, *w.shape[2:], stride)
    return np.moveaxis(np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3))) + b, 3, 1)


@mistake(
    "conv2d",
    says="Pad all four sides. You added all zeros below and at the right, so the whole result is shifted.",
    killed_by=["29.H12", "29.H15"],
)
def pads_one_side(x, w, b, stride=1, padding=0):
    return conv_of_padded(x, w, b, stride, np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding))))


@mistake(
    "conv2d",
    says="Pad all four sides. You padded above and at the left only.",
    killed_by=["29.H12"],
)
def pads_only_once(x, w, b, stride=1, padding=0):
    return conv_of_padded(x, w, b, stride, np.pad(x, ((0, 0), (0, 0), (padding, 0), (padding, 0))))


@mistake(
    "conv2d",
    says="Pad with zeros. You repeated the pixels at the border.",
    killed_by=["29.H12"],
)
def edge_padding(x, w, b, stride=1, padding=0):
    widths = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return conv_of_padded(x, w, b, stride, np.pad(x, widths, mode="edge"))


@mistake(
    "conv2d",
    says="The last row and the last column of positions are missing: there are floor((n + 2p - k) / s) + 1 of them.",
    killed_by=["29.H12", "29.H15"],
)
def last_position_lost(x, w, b, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    rows = (x.shape[2] + 2 * padding - w.shape[2]) // stride
    columns = (x.shape[3] + 2 * padding - w.shape[3]) // stride
    out = np.tensordot(windows[:, :, :rows, :columns], w, axes=((1, 4, 5), (1, 2, 3))) + b
    return np.moveaxis(out, 3, 1)


edit(
    "channel_mean",
    "conv2d",
    says="Sum over the input channels. You took their mean.",
    killed_by=["29.H1"],
    old="(1, 2, 3))) + b",
    new="(1, 2, 3))) / x.shape[1] + b",
)
@mistake(
    "conv2d",
    says="Only the first channel of the image is looked at. A filter is as deep as the image and sums over all channels.",
    killed_by=["29.H1"],
)
def first_channel_only(x, w, b, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    return np.moveaxis(np.tensordot(windows[:, :1], w[:, :1], axes=((1, 4, 5), (1, 2, 3))) + b, 3, 1)


edit(
    "bias_missing",
    "conv2d",
    says="Every filter has a bias, which is added at every position.",
    killed_by=["29.H1"],
    old="(1, 2, 3))) + b",
    new="(1, 2, 3)))",
)
edit(
    "bias_for_every_channel",
    "conv2d",
    says="The bias is added once per filter, after the sum over the channels. You added it for every channel.",
    killed_by=["29.H1"],
    old="(1, 2, 3))) + b",
    new="(1, 2, 3))) + b * x.shape[1]",
)
edit(
    "filters_last",
    "conv2d",
    says="The axes are in the wrong order: the result is (N, O, OH, OW), with the filters where the channels were.",
    killed_by=["29.H1"],
    old="np.moveaxis(out, 3, 1)",
    new="out",
)
edit(
    "reshaped_instead_of_moved",
    "conv2d",
    says="The shape is right and the numbers are in the wrong places: reshape reads them in another order, axes must be moved.",
    killed_by=["29.H1", "29.H15"],
    old="np.moveaxis(out, 3, 1)",
    new="out.reshape(len(x), len(w), *windows.shape[2:4])",
)
edit(
    "relu_inside",
    "conv2d",
    says="conv2d is linear: negative results stay. The activation is a layer of its own.",
    killed_by=["29.H1", "29.H6"],
    old="np.moveaxis(out, 3, 1)",
    new="np.moveaxis(np.maximum(out, 0), 3, 1)",
)
edit(
    "kernel_normalised",
    "conv2d",
    says="The weights are used as they are. You divided each filter by its sum, as one does for blurring.",
    killed_by=["29.H1", "29.H6"],
    old="windows, w, axes",
    new="windows, w / w.sum(axis=(1, 2, 3), keepdims=True), axes",
)
edit(
    "image_centred",
    "conv2d",
    says="The pixels are used as they are. You took the mean of the image away first; that is a step of its own.",
    killed_by=["29.H1", "29.H6"],
    old="windows = _padded_windows(x, w, stride, padding)",
    new="windows = _padded_windows(x - x.mean(axis=(1, 2, 3), keepdims=True), w, stride, padding)",
)
edit(
    "conv_buffer_in_float64",
    "conv2d",
    says="A buffer of zeros without a dtype is float64 and makes the result float64. float32 must stay float32.",
    killed_by=["29.H9"],
    old="np.moveaxis(out, 3, 1)",
    new="np.moveaxis(out, 3, 1).astype(np.float64)",
)


@mistake(
    "conv2d",
    says="A buffer in the image's dtype holds ints when the pixels are ints, and cuts every result down to one.",
    killed_by=["29.H9"],
)
def buffer_like_the_image(x, w, b, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    out = np.empty((*(windows.shape[a] for a in (0, 2, 3)), len(w)), x.dtype)
    out[...] = (np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3))) + b).astype(x.dtype)
    return np.moveaxis(out, 3, 1)


@mistake(
    "conv2d",
    says="Filters of one channel were stretched over all channels of the image. Refuse it and name channels.",
    killed_by=["29.H11"],
)
def stretches_the_channels(x, w, b, stride=1, padding=0):
    if x.shape[1] != w.shape[1]:
        shape = np.broadcast_shapes(x.shape[:2][-1:], w.shape[1:2])
        x = np.broadcast_to(x, (len(x), *shape, *x.shape[2:]))
        w = np.broadcast_to(w, (len(w), *shape, *w.shape[2:]))
    windows = _padded_windows(x, w, stride, padding)
    return np.moveaxis(np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3))) + b, 3, 1)


@mistake(
    "conv2d",
    says="Right, but with a Python loop over images and positions: about twenty times slower than one matrix product.",
    killed_by=["29.H8"],
    not_nameable="gives the right values, only slowly",
)
def loops_over_images(x, w, b, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    n, _, oh, ow = windows.shape[:4]
    out = np.empty((n, len(w), oh, ow), np.result_type(x, w, b))
    for image, i, j in np.ndindex(n, oh, ow):
        out[image, :, i, j] = (windows[image, :, i, j] * w).sum(axis=(1, 2, 3)) + b
    return out


# conv2d_backward

edit(
    "dx_assigns",
    "conv2d_backward",
    says="Windows overlap: every entry of the kernel adds to the gradients of the pixels it has seen. You let the last one overwrite what was there.",
    killed_by=["29.H2"],
    old="] += np.moveaxis",
    new="] = np.moveaxis",
)


@mistake(
    "conv2d_backward",
    says="Windows overlap, and a pixel collects from all that contain it. In your dx each window overwrites what the one before has brought.",
    killed_by=["29.H2"],
)
def dx_of_the_last_window(upstream, x, w, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    (n, channels, oh, ow), (kh, kw) = windows.shape[:4], w.shape[2:]
    _refuse_other_shape(upstream, (n, len(w), oh, ow))
    height, width = x.shape[2:]
    dx = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), upstream.dtype)
    for i, j in np.ndindex(oh, ow):
        window = np.s_[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
        dx[window] = np.tensordot(upstream[:, :, i, j], w, axes=(1, 0))
    dw = np.tensordot(upstream, windows, axes=((0, 2, 3), (0, 2, 3)))
    return dx[:, :, padding : padding + height, padding : padding + width], dw, upstream.sum(axis=(0, 2, 3))


edit(
    "dx_uncropped",
    "conv2d_backward",
    says="dx has the shape of the image: cut the padding off again.",
    killed_by=["29.H2"],
    old="return dx[:, :, padding : padding + height, padding : padding + width], dw, db",
    new="return dx, dw, db",
)
edit(
    "dx_cropped_by_minus_zero",
    "conv2d_backward",
    says="With padding 0 the slice padding:-padding is 0:0, and nothing is left of dx.",
    killed_by=["29.H2", "29.H15"],
    old="dx[:, :, padding : padding + height, padding : padding + width]",
    new="dx[:, :, padding:-padding, padding:-padding]",
)
edit(
    "dx_cropped_at_one_end",
    "conv2d_backward",
    says="dx is shifted: its first row is the row after the padding, not the first row of the padded image.",
    killed_by=["29.H2"],
    old="dx[:, :, padding : padding + height, padding : padding + width]",
    new="dx[:, :, :height, :width]",
)
edit(
    "dx_kernel_flipped",
    "conv2d_backward",
    says="You flipped the kernel for dx. In a sum over windows each pixel gets the weight that lay on it; only if you slide the kernel over upstream does it have to be flipped.",
    killed_by=["29.H2"],
    old="w[:, :, i, j]",
    new="w[:, :, -1 - i, -1 - j]",
)
edit(
    "dx_without_stride",
    "conv2d_backward",
    says="For dw you took the stride into account, for dx you did not: there, too, position (i, j) begins at pixel (s i, s j).",
    killed_by=["29.H2", "29.H15"],
    old="i : i + stride * oh : stride, j : j + stride * ow : stride",
    new="i : i + oh, j : j + ow",
)


@mistake(
    "conv2d_backward",
    says="The stride is missing on the way back, for dw and for dx: the window of position (i, j) begins at pixel (s i, s j).",
    killed_by=["29.H2", "29.H13"],
)
def backward_without_stride(upstream, x, w, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    (n, channels, oh, ow), (kh, kw) = windows.shape[:4], w.shape[2:]
    _refuse_other_shape(upstream, (n, len(w), oh, ow))
    near = _padded_windows(x, w, 1, padding)[:, :, :oh, :ow]
    height, width = x.shape[2:]
    dx = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), upstream.dtype)
    for i, j in np.ndindex(kh, kw):
        share = np.tensordot(upstream, w[:, :, i, j], axes=(1, 0))
        dx[:, :, i : i + oh, j : j + ow] += np.moveaxis(share, 3, 1)
    dw = np.tensordot(upstream, near, axes=((0, 2, 3), (0, 2, 3)))
    return dx[:, :, padding : padding + height, padding : padding + width], dw, upstream.sum(axis=(0, 2, 3))


edit(
    "db_mean",
    "conv2d_backward",
    says="db is the sum over images and positions, not the mean.",
    killed_by=["29.H13"],
    old="db = upstream.sum(axis=(0, 2, 3))",
    new="db = upstream.mean(axis=(0, 2, 3))",
)
edit(
    "db_per_position",
    "conv2d_backward",
    says="There is one bias per filter for all positions: sum over the positions as well as over the images.",
    killed_by=["29.H13"],
    old="db = upstream.sum(axis=(0, 2, 3))",
    new="db = upstream.sum(axis=0)",
)
edit(
    "dw_mean",
    "conv2d_backward",
    says="dw is summed over the images. If the loss is a mean, its 1/N has come with upstream.",
    killed_by=["29.H13"],
    old="dw = np.tensordot(upstream, windows, axes=((0, 2, 3), (0, 2, 3)))",
    new="dw = np.tensordot(upstream, windows, axes=((0, 2, 3), (0, 2, 3))) / n",
)
edit(
    "dw_flipped",
    "conv2d_backward",
    says="dw comes out turned by 180 degrees: entry (u, v) of the kernel has met the pixels at (s i + u, s j + v).",
    killed_by=["29.H13"],
    old="return dx[:, :, padding : padding + height, padding : padding + width], dw, db",
    new="return dx[:, :, padding : padding + height, padding : padding + width], dw[:, :, ::-1, ::-1].copy(), db",
)
@mistake(
    "conv2d_backward",
    says="For dw the weights have met the padded image. You used the image without its border of zeros.",
    killed_by=["29.H13", "29.H15"],
)
def dw_without_padding(upstream, x, w, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    (n, channels, oh, ow), (kh, kw) = windows.shape[:4], w.shape[2:]
    _refuse_other_shape(upstream, (n, len(w), oh, ow))
    height, width = x.shape[2:]
    dx = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), upstream.dtype)
    dw = np.zeros_like(w)
    for i, j in np.ndindex(kh, kw):
        place = np.s_[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
        dx[place] += np.moveaxis(np.tensordot(upstream, w[:, :, i, j], axes=(1, 0)), 3, 1)
        part = x[place]
        some = upstream[:, :, : part.shape[2], : part.shape[3]]
        dw[:, :, i, j] = np.tensordot(some, part, axes=((0, 2, 3), (0, 2, 3)))
    return dx[:, :, padding : padding + height, padding : padding + width], dw, upstream.sum(axis=(0, 2, 3))


edit(
    "gradients_downhill",
    "conv2d_backward",
    says="The signs are turned round: return the gradient. The minus belongs to the step of gradient descent.",
    killed_by=["29.H2", "29.H7"],
    old="return dx[:, :, padding : padding + height, padding : padding + width], dw, db",
    new="return -dx[:, :, padding : padding + height, padding : padding + width], -dw, -db",
)
edit(
    "gradients_in_another_order",
    "conv2d_backward",
    says="The order is dx, dw, db: the gradient for the image first.",
    killed_by=["29.H2"],
    old="return dx[:, :, padding : padding + height, padding : padding + width], dw, db",
    new="return dw, db, dx[:, :, padding : padding + height, padding : padding + width]",
)
edit(
    "dx_in_float64",
    "conv2d_backward",
    says="np.zeros without a dtype is float64, and so is dx then. float32 must stay float32.",
    killed_by=["29.H9"],
    old="width + 2 * padding), upstream.dtype)",
    new="width + 2 * padding))",
)
edit(
    "stretches_the_gradient",
    "conv2d_backward",
    says="numpy stretches an incoming gradient of another shape to fit. That hides a bug: refuse it and name upstream.",
    killed_by=["29.H11"],
    old="_refuse_other_shape(upstream, (n, len(w), oh, ow))",
    new="upstream = np.resize(upstream, (n, len(w), oh, ow))",
)
edit(
    "upstream_scaled_in_place",
    "conv2d_backward",
    says="You wrote into the caller's upstream. It is needed again elsewhere: work on a copy.",
    killed_by=["29.H10"],
    old="    db = upstream.sum(axis=(0, 2, 3))",
    new="    db = upstream.sum(axis=(0, 2, 3))\n    upstream[np.abs(upstream) < 1] = 0.0",
)


@mistake(
    "conv2d_backward",
    says="Right, but with a Python loop over images and positions: many times slower than a few matrix products.",
    killed_by=["29.H8"],
    not_nameable="gives the right values, only slowly",
)
def loops_over_images_backwards(upstream, x, w, stride=1, padding=0):
    windows = _padded_windows(x, w, stride, padding)
    (n, channels, oh, ow), (kh, kw) = windows.shape[:4], w.shape[2:]
    _refuse_other_shape(upstream, (n, len(w), oh, ow))
    height, width = x.shape[2:]
    dx = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), upstream.dtype)
    dw = np.zeros_like(w)
    for image, i, j in np.ndindex(n, oh, ow):
        arrived = upstream[image, :, i, j]
        dx[image, :, i * stride : i * stride + kh, j * stride : j * stride + kw] += np.tensordot(arrived, w, 1)
        dw += arrived[:, None, None, None] * windows[image, :, i, j]
    return dx[:, :, padding : padding + height, padding : padding + width], dw, upstream.sum(axis=(0, 2, 3))


# max_pool2d

edit(
    "pool_average",
    "max_pool2d",
    says="Max pooling keeps the largest number of a window. You took the mean.",
    killed_by=["29.H3"],
    old=".max(axis=(4, 5))",
    new=".mean(axis=(4, 5))",
)
edit(
    "pool_stride_is_k",
    "max_pool2d",
    says="The window moves by the stride. You moved it by its own size.",
    killed_by=["29.H3"],
    old="_windows(x, k, k, stride)",
    new="_windows(x, k, k, k * min(stride, 1))",
)
edit(
    "pool_starts_at_zero",
    "max_pool2d",
    says="The largest of negative numbers is negative. A running maximum that starts at 0 hides that.",
    killed_by=["29.H3"],
    old="return _windows(x, k, k, stride).max(axis=(4, 5))",
    new="return np.maximum(_windows(x, k, k, stride).max(axis=(4, 5)), 0)",
)
edit(
    "pool_starts_at_a_large_number",
    "max_pool2d",
    says="A running maximum must start at minus infinity, or with the first pixel: there are numbers below -1e9.",
    killed_by=["29.H3"],
    old="return _windows(x, k, k, stride).max(axis=(4, 5))",
    new="return np.maximum(_windows(x, k, k, stride).max(axis=(4, 5)), -1e9)",
)


@mistake(
    "max_pool2d",
    says="The largest number counts with its sign: -5 is less than 1.",
    killed_by=["29.H3"],
)
def pool_of_sizes(x, k, stride):
    windows = _windows(x, k, k, stride)
    flat = windows.reshape(*windows.shape[:4], k * k)
    return np.take_along_axis(flat, np.abs(flat).argmax(axis=4)[..., None], 4)[..., 0] + 0.0


edit(
    "pool_over_channels",
    "max_pool2d",
    says="Every channel is pooled by itself. You took the maximum over the channels as well.",
    killed_by=["29.H3"],
    old="return _windows(x, k, k, stride).max(axis=(4, 5))",
    new="return _windows(x, k, k, stride).max(axis=(1, 4, 5), keepdims=True)[..., 0, 0]",
)


@mistake(
    "max_pool2d",
    says="What is left over at the border is dropped: a window counts only if all of it lies inside.",
    killed_by=["29.H3"],
)
def pool_keeps_the_rest(x, k, stride):
    for n in x.shape[2:]:
        output_size(n, k, stride)
    more = [(0, -(n - k) % stride) for n in x.shape[2:]]
    large = np.pad(x + 0.0, ((0, 0), (0, 0), *more), constant_values=-np.inf)
    return _windows(large, k, k, stride).max(axis=(4, 5))


edit(
    "pool_of_one_pixel_is_a_view",
    "max_pool2d",
    says="With windows of one pixel you return a view of the caller's image. Whoever changes the result then changes x as well.",
    killed_by=["29.H10"],
    old="    return _windows",
    new='    if k == 1 and x.dtype.kind == "f" and stride > 0:\n        return x[:, :, ::stride, ::stride]\n    return _windows',
)
edit(
    "pool_of_ints_stays_ints",
    "max_pool2d",
    says="Ints came in and ints go out. This course wants float64 then, because a network goes on with floats.",
    killed_by=["29.H9"],
    old=" + 0.0",
    new="",
)
edit(
    "pool_in_float64",
    "max_pool2d",
    says="A buffer of zeros without a dtype is float64 and makes the result float64. float32 must stay float32.",
    killed_by=["29.H9"],
    old=" + 0.0",
    new=".astype(np.float64)",
)

# max_pool2d_backward


@mistake(
    "max_pool2d_backward",
    says="Only one of several equal maxima gets the gradient, the first. You gave all of it to each, so it is counted twice.",
    killed_by=["29.H14"],
)
def pool_ties_share(upstream, x, k, stride):
    windows = _windows(x, k, k, stride)
    oh, ow = windows.shape[2:4]
    _refuse_other_shape(upstream, windows.shape[:4])
    best = windows.max(axis=(4, 5))
    dx = np.zeros(x.shape, upstream.dtype)
    for i, j in np.ndindex(k, k):
        place = np.s_[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
        dx[place] += np.where(x[place] == best, upstream, 0)
    return dx


@mistake(
    "max_pool2d_backward",
    says="Equal maxima do not share the gradient: in this course the first one gets all of it.",
    killed_by=["29.H14", "29.H15"],
)
def pool_ties_divide(upstream, x, k, stride):
    windows = _windows(x, k, k, stride)
    oh, ow = windows.shape[2:4]
    _refuse_other_shape(upstream, windows.shape[:4])
    best = windows.max(axis=(4, 5))
    count = (windows == best[..., None, None]).sum(axis=(4, 5))
    dx = np.zeros(x.shape, upstream.dtype)
    for i, j in np.ndindex(k, k):
        place = np.s_[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
        dx[place] += (np.where(x[place] == best, upstream, 0) / count).astype(upstream.dtype)
    return dx


edit(
    "pool_last_tie_wins",
    "max_pool2d_backward",
    says="Of several equal maxima the first gets the gradient. You gave it to the last.",
    killed_by=["29.H14"],
    old="windows.reshape(*shape, k * k).argmax(axis=4)",
    new="k * k - 1 - windows.reshape(*shape, k * k)[..., ::-1].argmax(axis=4)",
)
edit(
    "pool_ties_by_columns",
    "max_pool2d_backward",
    says="The first of equal maxima is meant in the order of reading, row by row. You went through the window column by column.",
    killed_by=["29.H14"],
    old="windows.reshape(*shape, k * k).argmax(axis=4)",
    new="(lambda f: f % k * k + f // k)(windows.swapaxes(4, 5).reshape(*shape, k * k).argmax(axis=4))",
)
edit(
    "pool_argmax_transposed",
    "max_pool2d_backward",
    says="Row and column of the maximum are exchanged: in a flattened window the row is the number divided by k, the column its remainder.",
    killed_by=["29.H14", "29.H15"],
    old="windows.reshape(*shape, k * k).argmax(axis=4)",
    new="windows.swapaxes(4, 5).reshape(*shape, k * k).argmax(axis=4)",
)


@mistake(
    "max_pool2d_backward",
    says="Only the maximum had any influence, so only it gets the gradient. You spread it over the whole window.",
    killed_by=["29.H14"],
)
def pool_backward_spreads(upstream, x, k, stride):
    oh, ow = _windows(x, k, k, stride).shape[2:4]
    _refuse_other_shape(upstream, (*x.shape[:2], oh, ow))
    dx = np.zeros(x.shape, upstream.dtype)
    for i, j in np.ndindex(k, k):
        dx[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += upstream / (k * k)
    return dx


edit(
    "pool_backward_assigns",
    "max_pool2d_backward",
    says="A pixel can be the maximum of several windows, and their gradients add up. With index arrays even += keeps only one of them.",
    killed_by=["29.H14", "29.H15"],
    old="np.add.at(dx, (images[..., None, None], maps[..., None, None], rows, columns), upstream)",
    new="dx[images[..., None, None], maps[..., None, None], rows, columns] += upstream",
)
edit(
    "pool_backward_stride_is_k",
    "max_pool2d_backward",
    says="On the way back, too, the windows stand as far apart as the stride says. You placed them side by side.",
    killed_by=["29.H14"],
    old="np.add.at(dx,",
    new="rows = np.minimum(first // k + k * np.arange(oh)[:, None], x.shape[2] - 1)\n    columns = np.minimum(first % k + k * np.arange(ow), x.shape[3] - 1)\n    np.add.at(dx,",
)
edit(
    "pool_backward_masks_by_value",
    "max_pool2d_backward",
    says="You multiplied the gradient by the maximum. The slope of a maximum is 1 where it was reached.",
    killed_by=["29.H14"],
    old="rows, columns), upstream)",
    new="rows, columns), upstream * windows.max(axis=(4, 5)).astype(upstream.dtype))",
)
edit(
    "pool_dx_in_float64",
    "max_pool2d_backward",
    says="np.zeros without a dtype is float64, and so is dx then. float32 must stay float32.",
    killed_by=["29.H9"],
    old="np.zeros(x.shape, upstream.dtype)",
    new="np.zeros(x.shape)",
)
edit(
    "pool_dx_like_the_image",
    "max_pool2d_backward",
    says="dx is a buffer in the image's dtype here. It has to have the dtype of upstream: gradients of pixels that are ints are no ints.",
    killed_by=["29.H9"],
    old="np.zeros(x.shape, upstream.dtype)",
    new="np.zeros(x.shape, x.dtype)",
)
edit(
    "pool_stretches_the_gradient",
    "max_pool2d_backward",
    says="numpy stretches an incoming gradient of another shape to fit. That hides a bug: refuse it and name upstream.",
    killed_by=["29.H11"],
    old="_refuse_other_shape(upstream, shape)",
    new="upstream = np.resize(upstream, shape)",
)

# trace_cnn

edit(
    "trace_no_biases",
    "trace_cnn",
    says="A convolution has one bias per filter besides its weights.",
    killed_by=["29.H5"],
    old='(shape[0] * spec["kernel"] ** 2 + 1)',
    new='(shape[0] * spec["kernel"] ** 2)',
)
edit(
    "trace_flat_filters",
    "trace_cnn",
    says="A filter is as deep as what it reads: its weights are channels times kernel times kernel.",
    killed_by=["29.H5"],
    old='(shape[0] * spec["kernel"] ** 2 + 1)',
    new='(spec["kernel"] ** 2 + 1)',
)
edit(
    "trace_bias_for_every_channel",
    "trace_cnn",
    says="There is one bias per filter, not one for each of its channels.",
    killed_by=["29.H5"],
    old='(shape[0] * spec["kernel"] ** 2 + 1)',
    new='shape[0] * (spec["kernel"] ** 2 + 1)',
)
edit(
    "trace_weights_for_every_position",
    "trace_cnn",
    says="The weights are the same at every position: the size of the image has no influence on their number.",
    killed_by=["29.H5"],
    old='shape = (spec["filters"], *sides)',
    new='shape = (spec["filters"], *sides)\n            params *= shape[1] * shape[2]',
)
edit(
    "trace_pool_has_weights",
    "trace_cnn",
    says="Pooling has nothing to learn: 0 parameters.",
    killed_by=["29.H5"],
    old='        elif kind == "pool":\n',
    new='        elif kind == "pool":\n            params = shape[0] * spec["kernel"] ** 2\n',
)
edit(
    "trace_pool_stride_is_kernel",
    "trace_cnn",
    says="The pooling window moves by its stride, which need not be its size.",
    killed_by=["29.H5"],
    old='(output_size(n, spec["kernel"], spec["stride"]) for',
    new='(output_size(n, spec["kernel"], spec["kernel"]) for',
)
edit(
    "trace_ignores_padding",
    "trace_cnn",
    says="The padding is missing in the size: with a 3 x 3 kernel and padding 1 it stays what it was.",
    killed_by=["29.H5"],
    old='spec["stride"], spec["padding"])',
    new='spec["stride"])',
)
edit(
    "trace_ignores_stride",
    "trace_cnn",
    says="The stride of the convolution is missing in the size.",
    killed_by=["29.H5"],
    old='spec["stride"], spec["padding"])',
    new='1, spec["padding"])',
)
edit(
    "trace_square_images",
    "trace_cnn",
    says="Height and width are worked out each by itself: an image need not be square.",
    killed_by=["29.H5"],
    old='spec["stride"], spec["padding"]) for n in shape[1:]',
    new='spec["stride"], spec["padding"]) for n in shape[1:2] * 2',
)
edit(
    "trace_flatten_forgets_channels",
    "trace_cnn",
    says="Flattening keeps every number: channels times height times width.",
    killed_by=["29.H5"],
    old="(math.prod(shape),)",
    new="(math.prod(shape[1:]),)",
)
edit(
    "trace_shape_before",
    "trace_cnn",
    says="Every entry holds the shape after its layer. You wrote down the shape before it.",
    killed_by=["29.H5"],
    old="    return trace\n",
    new='    before = [tuple(input_shape), *(entry["shape"] for entry in trace)]\n    return [{**entry, "shape": shape} for entry, shape in zip(trace, before)]\n',
)
edit(
    "trace_of_totals",
    "trace_cnn",
    says="Every entry holds the parameters of its own layer. You added up those of the layers before.",
    killed_by=["29.H5"],
    old='trace.append({"shape": shape, "params": params})',
    new='trace.append({"shape": shape, "params": params + (trace[-1]["params"] if trace else 0)})',
)
edit(
    "trace_skips_relu",
    "trace_cnn",
    says="Every layer has an entry, also one without parameters that leaves the shape as it is.",
    killed_by=["29.H5"],
    old='        trace.append(',
    new='        if kind != "relu":\n            trace.append(',
)
edit(
    "trace_dense_flattens",
    "trace_cnn",
    says="A dense layer before the data is flat is an error of whoever wrote the list. Refuse it and name dense.",
    killed_by=["29.H11"],
    old="            if len(shape) != 1:\n",
    new="            if len(shape) != 1:\n                shape = (math.prod(shape),)\n            if len(shape) != 1:\n",
)
edit(
    "trace_unknown_kinds_pass",
    "trace_cnn",
    says="A layer of a kind that nobody knows was passed over in silence. Refuse it and name the kind.",
    killed_by=["29.H11"],
    old='        elif kind != "relu":\n',
    new='        elif kind == "":\n',
)
edit(
    "trace_empties_the_specs",
    "trace_cnn",
    says="You took the layers out of the caller's list or dicts. They are needed again: read them without changing them.",
    killed_by=["29.H10"],
    old='kind, params = spec["kind"], 0',
    new='kind, params = spec.pop("kind"), 0',
)
