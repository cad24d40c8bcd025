"""Section 14: what people get wrong."""

import math

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# tanh


@mistake(
    "tanh",
    says="The formula as it stands breaks twice: exp(800) is too large for a float, and near 0 it subtracts two numbers that are almost equal. Rewrite it with exponentials of negative numbers.",
    killed_by=["14.H1"],
)
def tanh_textbook(x):
    x = _floats(x)
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


@mistake(
    "tanh",
    says="Near 0 the subtraction loses all digits: 1 minus a number close to 1. `expm1` computes exp(z) - 1 without that loss.",
    killed_by=["14.H1"],
)
def tanh_cancellation(x):
    x = _floats(x)
    return np.sign(x) * (1 - 2 / (np.exp(2 * np.minimum(np.abs(x), 300)) + 1))


@mistake(
    "tanh",
    says="Your formula is safe for positive x only: for x = -800 its exponential overflows. Use that tanh(-x) = -tanh(x).",
    killed_by=["14.H1"],
)
def tanh_one_sided(x):
    m = np.expm1(-2 * _floats(x))
    return -m / (m + 2)


@mistake(
    "tanh",
    says="np.where computes both branches for every element, so the one that is not wanted still overflows. Make its argument safe first.",
    killed_by=["14.H1"],
)
def tanh_where_overflows(x):
    x = _floats(x)
    right, left = np.expm1(-2 * x), np.expm1(2 * x)
    return np.where(x >= 0, -right / (right + 2), left / (left + 2))


@mistake(
    "tanh",
    says="2 * sigmoid(x) - 1 is tanh(x / 2): the argument of the sigmoid has to be doubled.",
    killed_by=["14.H1"],
)
def tanh_of_half(x):
    x = _floats(x)
    m = np.expm1(-np.abs(x))
    return np.copysign(m / (m + 2), x)


@mistake("tanh", says="The result takes the sign of x: tanh(-1) is -0.76.", killed_by=["14.H1"])
def tanh_loses_the_sign(x):
    m = np.expm1(-2 * np.abs(_floats(x)))
    return -m / (m + 2)


@mistake(
    "tanh",
    says="You write into an array of the dtype of x, so integers cut the result down to 0. Make the result float64 for them.",
    killed_by=["14.H9"],
)
def tanh_in_whole_numbers(x):
    result = np.empty_like(x)
    m = np.expm1(-2 * np.abs(_floats(x)))
    result[...] = np.copysign(m / (m + 2), x)
    return result


@mistake("tanh_grad", says="t already is tanh(x): do not take tanh again. The slope is 1 - t².", killed_by=["14.H6"])
def tanh_grad_input(t):
    return 1 - np.tanh(_floats(t)) ** 2


@mistake("tanh_grad", says="t (1 - t) is the slope of the sigmoid. That of tanh is 1 - t².", killed_by=["14.H6"])
def tanh_grad_of_sigmoid(t):
    t = _floats(t)
    return t * (1 - t)


@mistake(
    "tanh_grad",
    says="The output enters squared: 1 - t², so the slope is the same on both sides of 0.",
    killed_by=["14.H6"],
)
def tanh_grad_not_squared(t):
    return 1 - _floats(t)


# softmax


@mistake(
    "softmax",
    says="exp(1000) overflows. Subtract the maximum before exp: it changes nothing in the result.",
    killed_by=["14.H5"],
)
def no_max_shift(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    _below_the_maximum(_floats(x), axis)
    e = np.exp(_floats(x) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="Each row needs its own maximum. With one maximum for the whole batch a row of small scores becomes 0 / 0.",
    killed_by=["14.H5"],
)
def global_max(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    _below_the_maximum(x, axis)
    e = np.exp((x - x.max()) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="Subtracting the mean is not enough: an entry far above it still overflows. Subtract the maximum.",
    killed_by=["14.H5"],
)
def mean_shift(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    _below_the_maximum(x, axis)
    e = np.exp((x - x.mean(axis=axis, keepdims=True)) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


edit(
    "wrong_axis",
    "softmax",
    says="Normalise along the class axis: the last one unless `axis` says otherwise. You always went down the columns.",
    killed_by=["14.H2"],
    old="e.sum(axis=axis",
    new="e.sum(axis=0",
)

edit(
    "axis_ignored",
    "softmax",
    says="You always normalise along the last axis; `axis` may name another one.",
    killed_by=["14.H2"],
    old="e.sum(axis=axis",
    new="e.sum(axis=-1",
)

edit(
    "global_sum",
    "softmax",
    says="Each row sums to 1, not the whole array: sum along the axis, and keep it for the division.",
    killed_by=["14.H2"],
    old="axis=axis, keepdims=True",
    new="",
)

@mistake(
    "softmax",
    says="np.max(x) and np.sum(e) without an axis run over the whole array, so all rows together sum to 1. Give both the axis, and keep it with keepdims=True.",
    killed_by=["14.H2"],
)
def one_softmax_for_the_whole_array(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    _below_the_maximum(x, axis)
    e = np.exp((x - np.max(x)) / temperature)
    return e / np.sum(e)


edit(
    "sum_lost_its_axis",
    "softmax",
    says="Without keepdims=True the sum loses its axis, and NumPy lines it up with the wrong one: row sums divide columns.",
    killed_by=["14.H2"],
    old="axis=axis, keepdims=True",
    new="axis=axis",
)

edit(
    "temperature_multiplies",
    "softmax",
    says="Divide the scores by the temperature: a low one makes the result sharper.",
    killed_by=["14.H3"],
    old=") / temperature",
    new=") * temperature",
)

edit(
    "temperature_ignored",
    "softmax",
    says="The temperature has no effect in your softmax.",
    killed_by=["14.H3"],
    old=") / temperature",
    new=")",
)

edit(
    "temperature_after_exp",
    "softmax",
    says="Divide the scores by the temperature before exp; afterwards it cancels, or spoils the sum.",
    killed_by=["14.H3"],
    old="return e /",
    new="return e / temperature /",
)


@mistake(
    "softmax",
    says="A temperature of 0 or less has no meaning: raise ValueError that names temperature.",
    killed_by=["14.H10"],
)
def temperature_unchecked(x, axis=-1, temperature=1.0):
    e = np.exp(_below_the_maximum(_floats(x), axis) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="Your axis wraps around, so axis 5 of a matrix quietly means axis 1. An axis that x lacks has to raise ValueError that names axis.",
    killed_by=["14.H10"],
)
def axis_wraps_around(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    axis = axis % np.ndim(x)
    e = np.exp(_below_the_maximum(_floats(x), axis) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="A slice of nothing but -inf has no softmax: (-inf) - (-inf) is NaN. Raise ValueError that names x.",
    killed_by=["14.H10"],
)
def all_minus_infinity_gives_nan(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    e = np.exp((x - x.max(axis=axis, keepdims=True)) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="A slice of nothing but -inf has no softmax. Equal shares hide the error from the caller: raise ValueError that names x.",
    killed_by=["14.H10"],
)
def all_minus_infinity_gives_equal_shares(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    highest = x.max(axis=axis, keepdims=True)
    e = np.exp((x - np.where(np.isfinite(highest), highest, 0.0)) / temperature)
    total = e.sum(axis=axis, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1.0), 1 / x.shape[axis])


@mistake("softmax", says="`x -= ...` changes the caller's array. Write x = x - ...", killed_by=["14.H8"])
def shifts_in_place(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    _below_the_maximum(x, axis)
    x -= x.max(axis=axis, keepdims=True)
    e = np.exp(x / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake("softmax", says="float32 in, float32 out: your softmax turns everything into float64.", killed_by=["14.H9"])
def always_float64(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    e = np.exp(_below_the_maximum(np.asarray(x, dtype=np.float64), axis) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@mistake(
    "softmax",
    says="Let NumPy work on whole arrays: a Python loop over the numbers is far slower.",
    killed_by=["14.H7"],
    not_nameable="the results are right, only slow",
)
def loops(x, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature")
    x = _floats(x)
    _below_the_maximum(x, axis)
    last = np.moveaxis(x, axis, -1)
    rows = []
    for row in last.reshape(-1, last.shape[-1]).tolist():
        top = max(row)
        e = [math.exp((value - top) / temperature) for value in row]
        total = sum(e)
        rows.append([value / total for value in e])
    return np.moveaxis(np.array(rows, dtype=x.dtype).reshape(last.shape), -1, axis)


# log_softmax


@mistake(
    "log_softmax",
    says="log(softmax(x)) is log(0) = -inf for a small probability. Stay in log space: z - logsumexp(z).",
    killed_by=["14.H4"],
)
def log_of_softmax(x, axis=-1):
    return np.log(softmax(x, axis))


@mistake(
    "log_softmax",
    says="Adding a small number inside the logarithm hides log(0) but gives -28 where -800 is right. Stay in log space.",
    killed_by=["14.H4"],
)
def log_with_epsilon(x, axis=-1):
    return np.log(softmax(x, axis) + softmax(x, axis).dtype.type(1e-12))


@mistake(
    "log_softmax",
    says="logsumexp overflows too when exp sees large scores: subtract the maximum first.",
    killed_by=["14.H5"],
)
def log_no_max_shift(x, axis=-1):
    x = _floats(x)
    _below_the_maximum(x, axis)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


@mistake(
    "log_softmax",
    says="Each row needs its own maximum in log_softmax too: with one for the whole batch a row of small scores becomes log(0).",
    killed_by=["14.H5"],
)
def log_global_max(x, axis=-1):
    x = _floats(x)
    _below_the_maximum(x, axis)
    below = x - x.max()
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


@mistake(
    "log_softmax",
    says="You subtracted the maximum inside exp but not outside: logsumexp(x) is the maximum plus the logarithm of the shifted sum.",
    killed_by=["14.H2"],
)
def log_forgets_the_shift(x, axis=-1):
    below = _below_the_maximum(_floats(x), axis)
    return _floats(x) - np.log(np.exp(below).sum(axis=axis, keepdims=True))


edit(
    "log_wrong_axis",
    "log_softmax",
    says="Sum along `axis`, the last one by default. Your log_softmax always sums down the columns.",
    killed_by=["14.H2"],
    old="axis=axis",
    new="axis=0",
)

edit(
    "log_axis_ignored",
    "log_softmax",
    says="Your log_softmax always sums along the last axis; `axis` may name another one.",
    killed_by=["14.H2"],
    old="axis=axis",
    new="axis=-1",
)

edit(
    "log_global_sum",
    "log_softmax",
    says="Each row has its own sum in log_softmax; you used one for the whole array.",
    killed_by=["14.H2"],
    old="axis=axis, keepdims=True",
    new="",
)

edit(
    "log_base_10",
    "log_softmax",
    says="The natural logarithm is meant, the one that undoes exp.",
    killed_by=["14.H2"],
    old="np.log(",
    new="np.log10(",
)


@mistake(
    "log_softmax",
    says="A slice of nothing but -inf has no log_softmax either. Raise ValueError that names x.",
    killed_by=["14.H10"],
)
def log_of_all_minus_infinity(x, axis=-1):
    x = _floats(x)
    below = x - x.max(axis=axis, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


@mistake(
    "log_softmax",
    says="In log_softmax, too, an axis that x lacks has to raise ValueError that names axis; yours wraps around.",
    killed_by=["14.H10"],
)
def log_axis_wraps_around(x, axis=-1):
    axis = axis % np.ndim(x)
    below = _below_the_maximum(_floats(x), axis)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


# softmax_backward


@mistake(
    "softmax_backward",
    says="p (1 - p) is only the diagonal of the Jacobian. Every probability depends on every score, because of the shared sum.",
    killed_by=["14.H6"],
)
def jacobian_diagonal(p, upstream, axis=-1):
    return p * (1 - p) * upstream


@mistake(
    "softmax_backward",
    says="Subtract the mean of the upstream gradient weighted by p, not its plain sum.",
    killed_by=["14.H6"],
)
def jacobian_sum_unweighted(p, upstream, axis=-1):
    return p * (upstream - upstream.sum(axis=axis, keepdims=True))


@mistake(
    "softmax_backward",
    says="Subtract the mean of the upstream gradient weighted by p, not its plain mean.",
    killed_by=["14.H6"],
)
def jacobian_plain_mean(p, upstream, axis=-1):
    return p * (upstream - upstream.mean(axis=axis, keepdims=True))


edit(
    "jacobian_without_p",
    "softmax_backward",
    says="One factor p is missing: a score whose probability is 0 has no influence, so its gradient is 0.",
    killed_by=["14.H6"],
    old="return p * (upstream",
    new="return (upstream",
)

edit(
    "jacobian_wrong_axis",
    "softmax_backward",
    says="The weighted mean belongs to one slice along `axis`, the last one by default. Yours always runs down the columns.",
    killed_by=["14.H6"],
    old="axis=axis",
    new="axis=0",
)

edit(
    "jacobian_axis_ignored",
    "softmax_backward",
    says="The weighted mean belongs to one slice along `axis`. Yours always runs along the last axis.",
    killed_by=["14.H6"],
    old="axis=axis",
    new="axis=-1",
)

edit(
    "jacobian_global_sum",
    "softmax_backward",
    says="Every row has its own weighted mean; you used one for the whole array.",
    killed_by=["14.H6"],
    old="axis=axis, keepdims=True",
    new="",
)

edit(
    "jacobian_sign",
    "softmax_backward",
    says="The weighted mean is subtracted from the upstream gradient, not added.",
    killed_by=["14.H6"],
    old="upstream - ",
    new="upstream + ",
)


@mistake(
    "softmax_backward",
    says="p already is the output of softmax. You took softmax of it once more.",
    killed_by=["14.H6"],
)
def jacobian_softmax_again(p, upstream, axis=-1):
    p = softmax(p, axis)
    return p * (upstream - (p * upstream).sum(axis=axis, keepdims=True))


@mistake(
    "softmax_backward", says="`upstream -= ...` changes the caller's array. Write upstream - ...", killed_by=["14.H8"]
)
def backward_in_place(p, upstream, axis=-1):
    upstream -= (p * upstream).sum(axis=axis, keepdims=True)
    return p * upstream
