"""Section 29k: what people get wrong."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnkit.grader.mistakes import edit, mistake


edit("kernel_turned", "conv2d_fast", says="Your filters are turned round. In deep learning a convolution does not flip its filters.", killed_by=["29k.H1"],
     old="rows = w.reshape(groups, K // groups, -1)", new="rows = w[:, :, ::-1, ::-1].reshape(groups, K // groups, -1)")

edit("bias_missing", "conv2d_fast", says="The bias is missing: every filter adds its own number to its whole map.", killed_by=["29k.H1"],
     old="out += b.astype(inner)[:, None, None]", new="out += 0 * b.astype(inner)[:, None, None]")

edit("channel_mean", "conv2d_fast", says="Channels are summed, not averaged.", killed_by=["29k.H1"],
     old="(rows @ columns)", new="(rows @ columns / w.shape[1])")

edit("stride_ignored", "conv2d_fast", says="With a stride, windows begin at every stride-th pixel; yours begin at each pixel in turn.", killed_by=["29k.H1"],
     old="windows = _windows(x, w, stride, padding, dilation)", new="windows = _windows(x, w, 1, padding, dilation)[..., :Ho, :Wo]")


@mistake("_windows", says="Padding goes around the image, on all four sides; yours is on two only.", killed_by=["29k.H1"])
def pads_one_side(x, w, stride, padding, dilation):
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    reach = tuple(dilation * (k - 1) + 1 for k in w.shape[2:])
    views = sliding_window_view(x, reach, axis=(2, 3))[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return views.transpose(0, 1, 4, 5, 2, 3)


@mistake("_windows", says="Dilation spreads the taps of a filter; yours stand next to each other.", killed_by=["29k.H3"])
def dilation_ignored(x, w, stride, padding, dilation):
    Ho, Wo = ((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:]))
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    views = sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return views[:, :, :Ho, :Wo].transpose(0, 1, 4, 5, 2, 3)


edit("first_group_for_all", "conv2d_fast", says="Each group of filters sees its own channels; yours all see those of the first group.", killed_by=["29k.H3"],
     old="columns = windows[image, ..., band, :].astype(inner).reshape(groups, rows.shape[2], -1)",
     new="columns = windows[image, ..., band, :].astype(inner).reshape(groups, rows.shape[2], -1)[:1]")

edit("groups_interleaved", "conv2d_fast", says="Groups are blocks of channels that stand next to each other; yours take every so-manieth channel.", killed_by=["29k.H3"],
     old="windows = _windows(x, w, stride, padding, dilation)",
     new="windows = _windows(x, w, stride, padding, dilation)\n    windows = windows[:, np.arange(x.shape[1]).reshape(-1, groups).T.ravel()]")


@mistake("conv2d_fast", says="Sum in float32 where the numbers are float16: a long sum in float16 loses its last two digits.", killed_by=["29k.H1"])
def sums_in_float16(x, w, b, stride=1, padding=0, dilation=1, groups=1):
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    if b.shape != w.shape[:1]:
        raise ValueError("b")
    kind, _ = _number(x, w, b)
    windows = _windows(x, w, stride, padding, dilation).reshape(len(x), groups, 1, -1, Ho, Wo)
    rows = w.reshape(1, groups, len(w) // groups, -1, 1, 1)
    out = np.zeros((len(x), groups, len(w) // groups, Ho, Wo), kind)
    for tap in range(rows.shape[3]):
        out += (windows[:, :, :, tap] * rows[:, :, :, tap]).astype(kind)
    return (out.reshape(len(x), len(w), Ho, Wo) + b[:, None, None]).astype(kind)


kept = []


@mistake("conv2d_fast", says="Your forward pass keeps the windows: kh * kw copies of the images stay in memory. Compute them anew where they are needed.", killed_by=["29k.H4"],
         not_nameable="its answers are right; only memory differs, and that is measured, not compared")
def saves_im2col(x, w, b, stride=1, padding=0, dilation=1, groups=1):
    Ho, Wo = _check(x, w, stride, padding, dilation, groups)
    if b.shape != w.shape[:1]:
        raise ValueError("b")
    kind, inner = _number(x, w, b)
    columns = _windows(x, w, stride, padding, dilation).astype(inner).reshape(len(x), groups, w[0].size, Ho * Wo)
    kept.append(columns)
    out = (w.reshape(groups, len(w) // groups, -1).astype(inner) @ columns).reshape(len(x), len(w), Ho, Wo)
    return (out + b.astype(inner)[:, None, None]).astype(kind)


edit("dx_assigns", "conv2d_fast_backward", says="Windows overlap: the gradients of a pixel are added, and yours are overwritten.", killed_by=["29k.H2"],
     old="left:right:stride] += taps", new="left:right:stride] = taps")

edit("dx_uncropped", "conv2d_fast_backward", says="The gradient of the image begins where the image begins: cut the padding off on all sides.", killed_by=["29k.H2"],
     old="dx = dx[:, :, padding : padding + H, padding : padding + W]", new="dx = dx[:, :, :H, :W]")

edit("db_mean", "conv2d_fast_backward", says="db is the sum over images and positions, not their mean.", killed_by=["29k.H2"],
     old="db = upstream.sum(axis=(0, 2, 3), dtype=inner)", new="db = upstream.sum(axis=(0, 2, 3), dtype=inner) / max(1, N * Ho * Wo)")

edit("dw_mean", "conv2d_fast_backward", says="dw is the sum over the images, not their mean: the loss has been averaged already where it should be.", killed_by=["29k.H2"],
     old="(dx, dw.reshape(w.shape), db)", new="(dx, dw.reshape(w.shape) / max(1, N), db)")

edit("dw_of_the_last_image", "conv2d_fast_backward", says="dw holds only the last part of the work: add over all images.", killed_by=["29k.H2"],
     old="dw += flow @ columns.transpose(0, 2, 1)", new="dw = flow @ columns.transpose(0, 2, 1)")

edit("dx_dilation_ignored", "conv2d_fast_backward", says="In the gradient of the image the taps lie dilation apart too.", killed_by=["29k.H3"],
     old="top, left = band.start * stride + i * dilation, j * dilation", new="top, left = band.start * stride + i, j")
