"""Section 12: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake


@mistake(
    "sigmoid",
    says="For x = -1000 this computes exp(1000), which overflows. Only ever take exp of numbers that are not positive.",
    killed_by=["12.H1"],
)
def naive_overflow(x):
    return 1 / (1 + np.exp(-(x + 0.0)))


@mistake(
    "sigmoid",
    says="exp(x) / (1 + exp(x)) is fine for negative x, but for large positive x it is inf / inf, which is NaN.",
    killed_by=["12.H1"],
)
def exp_over_1_plus_exp(x):
    large = np.exp(x + 0.0)
    return large / (1 + large)


@mistake(
    "sigmoid",
    says="np.where picks after both forms were computed for every entry, so the wrong one overflows all the same. Give it an exponent that is never positive.",
    killed_by=["12.H1"],
)
def where_computes_both(x):
    x = x + 0.0
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


@mistake(
    "sigmoid",
    says="Clipping the input destroys small probabilities: sigmoid(-700) is 1e-304, not 1e-13.",
    killed_by=["12.H1", "12.H3"],
)
def clipped_input(x):
    return 1 / (1 + np.exp(-np.clip(x + 0.0, -30, 30)))


@mistake(
    "sigmoid",
    says="Keeping the output away from 0 and 1 makes up numbers: the loss must deal with log(0), not the activation.",
    killed_by=["12.H1", "12.H3"],
)
def clipped_output(x):
    small = np.exp(-np.abs(x + 0.0))
    out = np.where(x >= 0, 1.0, small) / (1.0 + small)
    eps = 1e-7 if out.dtype == np.float32 else 1e-12
    return np.clip(out, eps, 1 - eps)


@mistake(
    "sigmoid",
    says="Half of 1 + tanh(x/2) is the sigmoid on paper. In floating point 1 + (-0.99...) rounds small results away.",
    killed_by=["12.H1"],
)
def through_tanh(x):
    return 0.5 * (1 + np.tanh(0.5 * (x + 0.0)))


@mistake(
    "sigmoid",
    says="The exponent has the wrong sign: large positive x must give 1, large negative x must give 0.",
    killed_by=["12.H1", "12.H2", "12.H3"],
)
def sign_swapped(x):
    small = np.exp(-np.abs(x + 0.0))
    return np.where(x >= 0, small, 1.0) / (1.0 + small)


@mistake(
    "sigmoid",
    says="You compute in float64 whatever comes in. float32 must stay float32: it was chosen to save memory.",
    killed_by=["12.H2"],
)
def always_float64(x):
    x = np.asarray(x, dtype=np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


@mistake(
    "sigmoid",
    says="A result buffer made like an array of ints holds ints: it cuts every sigmoid(x) down to 0 or 1.",
    killed_by=["12.H2"],
)
def integer_buffer(x):
    small = np.exp(-np.abs(x + 0.0))
    out = np.empty_like(x)
    out[...] = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return out


@mistake(
    "sigmoid",
    says="Going through x row by row fails for arrays without rows: shape () cannot be iterated, shape (0,) has none.",
    killed_by=["12.H2"],
)
def row_by_row(x):
    rows = []
    for row in x:
        small = np.exp(-np.abs(row + 0.0))
        rows.append(np.where(row >= 0, 1.0, small) / (1.0 + small))
    return np.stack(rows)


@mistake(
    "sigmoid",
    says="You used the caller's array as scratch paper: after the call x holds other numbers than before.",
    killed_by=["12.H6"],
)
def works_in_place(x):
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        x = np.array(x, dtype=np.float64)
    positive = x >= 0
    np.abs(x, out=x)
    np.negative(x, out=x)
    np.exp(x, out=x)
    return np.where(positive, 1.0, x) / (1.0 + x)


@mistake(
    "sigmoid",
    says="A Python loop over all the numbers is more than ten times slower than whole-array numpy.",
    killed_by=["12.H6"],
    not_nameable="gives the right values, only slowly",
)
def python_loop(x):
    x = np.asarray(x) + 0.0
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        small = np.exp(-np.abs(x[index]))
        out[index] = (1.0 if x[index] >= 0 else small) / (1.0 + small)
    return out


@mistake(
    "sigmoid_grad",
    says="The argument already is the output of the sigmoid. Do not apply the sigmoid a second time.",
    killed_by=["12.H2"],
)
def grad_of_input(a):
    s = sigmoid(a)
    return s * (1 - s)


edit(
    "grad_plus",
    "sigmoid_grad",
    says="The slope is output times (1 minus output). With a plus it would grow where the curve is flat.",
    killed_by=["12.H2", "12.H5"],
    old="1.0 - a",
    new="1.0 + a",
)


@mistake(
    "sigmoid_grad",
    says="1 - a squared is the slope of tanh. The sigmoid's slope is a times (1 - a), never more than a quarter.",
    killed_by=["12.H2", "12.H5"],
)
def grad_of_tanh(a):
    return 1.0 - a * a


@mistake(
    "logit",
    says="logit(0) is -inf and logit(1) is +inf. Clipping hides that a probability of exactly 0 or 1 came in.",
    killed_by=["12.H4"],
)
def logit_clipped(p):
    p = np.asarray(p) + 0.0
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return np.log(p) - np.log1p(-p)


@mistake(
    "logit",
    says="The odds are upside down: a probability above one half must have a positive logit.",
    killed_by=["12.H2", "12.H4"],
)
def logit_upside_down(p):
    p = np.asarray(p) + 0.0
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    with np.errstate(divide="ignore"):
        return np.log1p(-p) - np.log(p)


@mistake(
    "logit",
    says="1/p - 1 loses everything for p just below 1: 1/p is rounded before 1 is subtracted. Form 1 - p itself.",
    killed_by=["12.H4"],
)
def logit_through_reciprocal(p):
    p = np.asarray(p) + 0.0
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    with np.errstate(divide="ignore"):
        return -np.log(1 / p - 1)


@mistake(
    "logit",
    says="2p - 1 rounds a small p away: the logit of 1e-300 is about -691, not minus infinity.",
    killed_by=["12.H4"],
)
def logit_through_arctanh(p):
    p = np.asarray(p) + 0.0
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    with np.errstate(divide="ignore"):
        return 2 * np.arctanh(2 * p - 1)


@mistake(
    "logit",
    says="The ends 0 and 1 are allowed values here: they give -inf and +inf. Only what lies outside is refused.",
    killed_by=["12.H4"],
)
def logit_refuses_the_ends(p):
    p = np.asarray(p) + 0.0
    if np.any((p <= 0) | (p >= 1)):
        raise ValueError("p must lie between 0 and 1")
    return np.log(p) - np.log1p(-p)


@mistake(
    "logit",
    says="Your values are right, but numpy warns of log(0). At the ends infinity is wanted: silence the warning around this one line.",
    killed_by=["12.H4"],
)
def logit_warns(p):
    p = np.asarray(p) + 0.0
    if np.any((p < 0) | (p > 1)):
        raise ValueError("p must lie between 0 and 1")
    return np.log(p) - np.log1p(-p)


@mistake(
    "logit",
    says="A probability of 1.2 is an error of the caller's. Refuse it; the NaN you return is found much later.",
    killed_by=["12.H7"],
)
def logit_accepts_everything(p):
    p = np.asarray(p) + 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(p) - np.log1p(-p)


edit(
    "slope_of_the_input",
    "saturated_fraction",
    says="The slope function wants the sigmoid's output. You gave it the input.",
    killed_by=["12.H5"],
    old="sigmoid_grad(sigmoid(x))",
    new="sigmoid_grad(x)",
)
edit(
    "tol_on_the_output",
    "saturated_fraction",
    says="tol bounds the slope, not the distance of the output from 0 or 1.",
    killed_by=["12.H5"],
    old="sigmoid_grad(sigmoid(x)) < tol",
    new="np.minimum(sigmoid(x), 1 - sigmoid(x)) < tol",
)
edit(
    "only_the_upper_end",
    "saturated_fraction",
    says="The curve is flat on both sides: very negative inputs are saturated too.",
    killed_by=["12.H5"],
    old="sigmoid_grad(sigmoid(x)) < tol",
    new="(sigmoid_grad(sigmoid(x)) < tol) & (x > 0)",
)
edit(
    "share_of_the_living",
    "saturated_fraction",
    says="Saturated are the entries whose slope is below tol. You counted the others.",
    killed_by=["12.H5"],
    old="< tol",
    new=">= tol",
)
edit(
    "counts_instead_of_share",
    "saturated_fraction",
    says="A share lies between 0 and 1: divide the count by the number of entries.",
    killed_by=["12.H5"],
    old="np.mean(",
    new="np.sum(",
)


@mistake(
    "chain_slopes",
    says="The chain rule multiplies the slopes of the layers. You added them.",
    killed_by=["12.H5"],
)
def chain_adds(x, depth, w=1.0):
    if depth < 1:
        raise ValueError("depth must be at least 1")
    a, terms = x, []
    for _ in range(depth):
        a = sigmoid(w * a)
        terms.append(w * sigmoid_grad(a))
    return np.abs(np.cumsum(terms))


edit(
    "chain_forgets_the_weight",
    "chain_slopes",
    says="Every layer multiplies by its weight too: the derivative of sigmoid(w * a) is w times the slope.",
    killed_by=["12.H5"],
    old="slope * w * sigmoid_grad(a)",
    new="slope * sigmoid_grad(a)",
)
edit(
    "chain_keeps_the_sign",
    "chain_slopes",
    says="Asked for is the absolute value: with a negative weight the slope changes its sign from layer to layer.",
    killed_by=["12.H5"],
    old="abs(slope)",
    new="slope",
)
edit(
    "chain_of_factors",
    "chain_slopes",
    says="These are the factors of the single layers. Entry k must be the product of the first k of them.",
    killed_by=["12.H5"],
    old="slope * w * sigmoid_grad(a)",
    new="w * sigmoid_grad(a)",
)


@mistake(
    "chain_slopes",
    says="The list begins one step too early: the first entry is the slope of a_1, not that of a_0, which is 1.",
    killed_by=["12.H5"],
)
def chain_starts_at_one(x, depth, w=1.0):
    if depth < 1:
        raise ValueError("depth must be at least 1")
    a, slopes = x, [1.0]
    for _ in range(depth - 1):
        a = sigmoid(w * a)
        slopes.append(slopes[-1] * abs(w) * sigmoid_grad(a))
    return np.array(slopes)


@mistake(
    "chain_slopes",
    says="Each layer has its own slope, taken at its own activation. You used the slope of the first layer everywhere.",
    killed_by=["12.H5"],
)
def chain_same_slope_everywhere(x, depth, w=1.0):
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return (abs(w) * sigmoid_grad(sigmoid(w * x))) ** np.arange(1, depth + 1)


@mistake(
    "chain_slopes",
    says="The slope of a layer belongs to the activation that it puts out. You took it one layer too early.",
    killed_by=["12.H5"],
)
def chain_one_layer_early(x, depth, w=1.0):
    if depth < 1:
        raise ValueError("depth must be at least 1")
    slopes = np.empty(depth)
    a, slope = x, 1.0
    for k in range(depth):
        slope = slope * w * sigmoid_grad(a)
        a = sigmoid(w * a)
        slopes[k] = abs(slope)
    return slopes


@mistake(
    "chain_slopes",
    says="A chain of no layers, or of fewer, does not exist: refuse a depth below 1 and name it.",
    killed_by=["12.H7"],
)
def any_depth_will_do(x, depth, w=1.0):
    slopes = np.empty(max(depth, 0))
    a, slope = x, 1.0
    for k in range(depth):
        a = sigmoid(w * a)
        slope = slope * w * sigmoid_grad(a)
        slopes[k] = abs(slope)
    return slopes
