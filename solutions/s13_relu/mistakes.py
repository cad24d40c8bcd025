"""Section 13: what people get wrong."""

import numpy as np
from nnkit.grader.mistakes import edit, mistake

# relu


@mistake(
    "relu",
    says="Multiplying by a mask makes NaN of -inf and -0.0 of -3. Choose the larger of x and 0 instead of multiplying.",
    killed_by=["13.H1"],
)
def mask_multiply(x):
    x = x + 0.0
    return x * (x > 0)


@mistake(
    "relu",
    says="NaN must stay NaN, or a bug stays hidden. Every comparison with NaN is false, so choosing x only where x > 0 turns it into 0.",
    killed_by=["13.H1"],
)
def nan_becomes_zero(x):
    return np.where(x > 0, x, 0.0)


@mistake(
    "relu",
    says="(x + |x|) / 2 is max(0, x) on paper. For -inf it is -inf + inf, which is NaN, and 1.7e308 overflows.",
    killed_by=["13.H1"],
)
def half_of_sum(x):
    x = x + 0.0
    return (x + np.abs(x)) / 2


@mistake(
    "relu",
    says="ReLU cuts off what is negative. You kept the negative numbers and cut off the positive ones.",
    killed_by=["13.H1", "13.H5"],
)
def minimum_instead(x):
    return np.minimum(x, 0.0)


@mistake(
    "relu",
    says="That is the absolute value: a negative number must become 0, not positive.",
    killed_by=["13.H1", "13.H5"],
)
def absolute_value(x):
    return np.abs(x + 0.0)


@mistake(
    "relu",
    says="Ints came in and ints go out. This course wants float64 then, because a network goes on with floats.",
    killed_by=["13.H1"],
)
def ints_stay_ints(x):
    return np.maximum(x, 0)


@mistake(
    "relu",
    says="You compute in float64 whatever comes in. float32 must stay float32: it was chosen to save memory.",
    killed_by=["13.H1"],
)
def always_float64(x):
    return np.maximum(np.asarray(x, dtype=np.float64), 0.0)


@mistake(
    "relu",
    says="You cut the caller's own array off. The backward pass still needs x as it was: return a new array.",
    killed_by=["13.H7"],
)
def cuts_in_place(x):
    x[x < 0] = 0
    return x + 0.0


@mistake(
    "relu",
    says="Where nothing is negative you return the caller's own array. Whoever changes the result then changes x as well.",
    killed_by=["13.H7"],
)
def returns_the_argument(x):
    if x.dtype.kind == "f" and (x >= 0).all():
        return x
    return np.maximum(x, 0.0)


edit(
    "grad_at_zero_one",
    "relu_backward",
    says="This course uses derivative 0 at x = 0.",
    killed_by=["13.H2"],
    old="x > 0",
    new="x >= 0",
)
edit(
    "grad_ignores_upstream",
    "relu_backward",
    says="Multiply the incoming gradient by the slope. You returned the slope alone.",
    killed_by=["13.H2"],
    old="upstream, 0.0)",
    new="1.0, 0.0)",
)
edit(
    "masked_by_upstream",
    "relu_backward",
    says="You asked where the incoming gradient is positive. The question is where x is.",
    killed_by=["13.H2", "13.H6"],
    old="x > 0, upstream",
    new="upstream > 0, upstream",
)
edit(
    "gradient_passes_everywhere",
    "relu_backward",
    says="Where x is negative the output does not depend on x at all: no gradient may pass.",
    killed_by=["13.H2", "13.H6"],
    old="np.where(x > 0, upstream, 0.0)",
    new="1.0 * upstream",
)
edit(
    "forward_in_backward",
    "relu_backward",
    says="You multiplied the incoming gradient by relu(x). It must be multiplied by the slope, which is 0 or 1.",
    killed_by=["13.H2"],
    old="np.where(x > 0, upstream, 0.0)",
    new="np.where(x > 0, x * upstream, 0.0)",
)
edit(
    "broadcasts_the_gradient",
    "relu_backward",
    says="numpy stretches an incoming gradient of another shape to fit. That hides a bug: refuse it and name upstream.",
    killed_by=["13.H8"],
    old="    _refuse_other_shapes(x, upstream)\n",
    new="",
)

# Leaky ReLU

edit(
    "leaky_sign",
    "leaky_relu",
    says="Leaky ReLU of -2 is -0.02, not +0.02.",
    killed_by=["13.H1", "13.H5"],
    old=", slope * x)",
    new=", -slope * x)",
)


@mistake(
    "leaky_relu",
    says="For negative x the result must be slope times x, which is negative. The absolute value loses the sign.",
    killed_by=["13.H1", "13.H5"],
)
def leaky_max_abs(x, slope=0.01):
    return np.maximum(x, slope * np.abs(x))


@mistake(
    "leaky_relu",
    says="The larger of x and slope * x is right only while slope is at most 1. Decide by the sign of x.",
    killed_by=["13.H5"],
)
def leaky_of_the_larger(x, slope=0.01):
    return np.maximum(x, slope * x)


edit(
    "leaky_on_both_sides",
    "leaky_relu",
    says="The slope belongs to the negative side only: a positive x passes unchanged.",
    killed_by=["13.H1", "13.H5"],
    old="np.where(x > 0, x, slope * x)",
    new="slope * x",
)
edit(
    "leaky_is_constant",
    "leaky_relu",
    says="On the negative side the result is slope times x, not the slope itself.",
    killed_by=["13.H1", "13.H5"],
    old=", slope * x)",
    new=", slope)",
)
edit(
    "leaky_fixed_slope",
    "leaky_relu",
    says="You always use a slope of 0.01. It is only the default: use the argument.",
    killed_by=["13.H1", "13.H5"],
    old=", slope * x)",
    new=", 0.01 * x)",
)
edit(
    "leaky_grad_is_relus",
    "leaky_relu_backward",
    says="This is the gradient of plain relu. A leaky unit passes slope times the gradient on where x is negative.",
    killed_by=["13.H2", "13.H6"],
    old="slope * upstream",
    new="0.0",
)
edit(
    "leaky_grad_at_zero_one",
    "leaky_relu_backward",
    says="At x = 0 this course gives leaky_relu the derivative of its left side, slope.",
    killed_by=["13.H2"],
    old="x > 0",
    new="x >= 0",
)
edit(
    "leaky_grad_ignores_upstream",
    "leaky_relu_backward",
    says="These are the slopes, 1 or slope. Each still has to be multiplied by the incoming gradient.",
    killed_by=["13.H2"],
    old="np.where(x > 0, upstream, slope * upstream)",
    new="np.where(x > 0, 1.0, slope + 0.0 * upstream)",
)
edit(
    "leaky_grad_negated",
    "leaky_relu_backward",
    says="The slope on the left is +slope: the function rises there too, only slowly.",
    killed_by=["13.H2", "13.H6"],
    old="slope * upstream",
    new="-slope * upstream",
)
edit(
    "leaky_grad_in_float64",
    "leaky_relu_backward",
    says="An array of slopes made from Python numbers is float64, and makes the whole product float64.",
    killed_by=["13.H1"],
    old="np.where(x > 0, upstream, slope * upstream)",
    new="upstream * np.where(x > 0, 1.0, slope)",
)
edit(
    "leaky_grad_broadcasts",
    "leaky_relu_backward",
    says="numpy stretches an incoming gradient of another shape to fit. That hides a bug: refuse it and name upstream.",
    killed_by=["13.H8"],
    old="    _refuse_other_shapes(x, upstream)\n",
    new="",
)

# ELU

edit(
    "elu_overflow",
    "elu",
    says="np.where evaluates both branches: the exponential of a large positive x overflows although nobody wants it.",
    killed_by=["13.H3"],
    old="np.expm1(np.minimum(x, 0.0))",
    new="np.expm1(x + 0.0)",
)
edit(
    "elu_cancellation",
    "elu",
    says="For tiny x, exp(x) is rounded to a number near 1 before 1 is subtracted, and the digits are gone. numpy has a function for exp(x) - 1.",
    killed_by=["13.H3"],
    old="np.expm1(np.minimum(x, 0.0))",
    new="(np.exp(np.minimum(x, 0.0)) - 1)",
)
edit(
    "elu_without_minus_one",
    "elu",
    says="Without the -1 the curve jumps by alpha at 0. It has to arrive at 0 from the left.",
    killed_by=["13.H1", "13.H3", "13.H5"],
    old="np.expm1(",
    new="np.exp(",
)
edit(
    "elu_forgets_alpha",
    "elu",
    says="alpha is missing: for very negative x the result must come close to -alpha.",
    killed_by=["13.H1", "13.H3", "13.H5"],
    old="alpha * np.expm1",
    new="np.expm1",
)
edit(
    "elu_alpha_in_the_exponent",
    "elu",
    says="alpha stands before the bracket, not in the exponent: it says how deep the curve goes, not how fast.",
    killed_by=["13.H1", "13.H3", "13.H5"],
    old="alpha * np.expm1(np.minimum(x, 0.0))",
    new="np.expm1(alpha * np.minimum(x, 0.0))",
)
edit(
    "elu_sign",
    "elu",
    says="The sign on the left is turned round: elu(-2) is negative, e to the power of -2 minus 1.",
    killed_by=["13.H1", "13.H3", "13.H5"],
    old="alpha * np.expm1",
    new="-alpha * np.expm1",
)
edit(
    "elu_any_alpha",
    "elu",
    says="A negative alpha would make the curve fall and rise again. Refuse it and name alpha.",
    killed_by=["13.H8"],
    old="    _refuse_negative(alpha)\n",
    new="",
)
edit(
    "elu_refuses_zero",
    "elu",
    says="alpha = 0 is allowed: it gives plain relu. Only a negative alpha is refused.",
    killed_by=["13.H5"],
    old="    _refuse_negative(alpha)\n",
    new='    if alpha <= 0:\n        raise ValueError("alpha must be positive")\n',
)


@mistake(
    "elu",
    says="A Python loop over all the numbers is many times slower than whole-array numpy.",
    killed_by=["13.H7"],
    not_nameable="gives the right values, only slowly",
)
def python_loop(x, alpha=1.0):
    _refuse_negative(alpha)
    x = x + 0.0
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 else alpha * np.expm1(min(x[index], 0.0))
    return out


edit(
    "elu_grad_value",
    "elu_backward",
    says="You multiplied by the value of elu. The slope of alpha * (e^x - 1) is alpha * e^x.",
    killed_by=["13.H2", "13.H6"],
    old="np.exp(",
    new="np.expm1(",
)
edit(
    "elu_grad_overflow",
    "elu_backward",
    says="np.where evaluates both branches: the exponential of a large positive x overflows although nobody wants it.",
    killed_by=["13.H3"],
    old="np.exp(np.minimum(x, 0.0))",
    new="np.exp(x)",
)
edit(
    "elu_grad_forgets_alpha",
    "elu_backward",
    says="alpha is a factor of the function on the left, so it is one of the slope as well.",
    killed_by=["13.H2"],
    old="upstream * alpha *",
    new="upstream *",
)
edit(
    "elu_grad_at_zero_one",
    "elu_backward",
    says="At x = 0 this course gives elu the derivative of its left side, alpha.",
    killed_by=["13.H2"],
    old="x > 0",
    new="x >= 0",
)
edit(
    "elu_grad_ignores_upstream",
    "elu_backward",
    says="These are the slopes. Each still has to be multiplied by the incoming gradient.",
    killed_by=["13.H2"],
    old="np.where(x > 0, upstream, upstream * alpha * ",
    new="np.where(x > 0, 1.0, alpha * ",
)
edit(
    "elu_grad_is_relus",
    "elu_backward",
    says="This is the gradient of plain relu. elu passes a gradient on where x is negative, too.",
    killed_by=["13.H2", "13.H6"],
    old="upstream * alpha * np.exp(np.minimum(x, 0.0))",
    new="0.0",
)
edit(
    "elu_grad_broadcasts",
    "elu_backward",
    says="numpy stretches an incoming gradient of another shape to fit. That hides a bug: refuse it and name upstream.",
    killed_by=["13.H8"],
    old="    _refuse_other_shapes(x, upstream)\n",
    new="",
)
edit(
    "elu_grad_any_alpha",
    "elu_backward",
    says="The backward pass must refuse a negative alpha just as elu does.",
    killed_by=["13.H8"],
    old="    _refuse_negative(alpha)\n",
    new="",
)

# activity

edit(
    "dead_is_sparsity",
    "activity",
    says="Dead means zero for every sample. You listed each unit that is zero now and then.",
    killed_by=["13.H4"],
    old="silent.all(axis=0)",
    new="silent.any(axis=0)",
)
edit(
    "dead_wrong_axis",
    "activity",
    says="Look down a column: one unit, all samples. You found the samples for which all units are silent.",
    killed_by=["13.H4"],
    old="axis=0",
    new="axis=1",
)
edit(
    "dead_by_sum",
    "activity",
    says="A sum of 0 does not mean that all are 0: positive and negative outputs can cancel.",
    killed_by=["13.H4"],
    old="silent.all(axis=0)",
    new="H.sum(axis=0) == 0",
)
edit(
    "dead_by_largest",
    "activity",
    says="A unit whose largest output is 0 may have negative ones, which are activity as well.",
    killed_by=["13.H4"],
    old="silent.all(axis=0)",
    new="H.max(axis=0) == 0",
)
edit(
    "dead_for_the_first_sample",
    "activity",
    says="You looked at one sample only. A unit that is silent there may speak for the next.",
    killed_by=["13.H4"],
    old="silent.all(axis=0)",
    new="silent[0]",
)
edit(
    "dead_as_mask",
    "activity",
    says="Asked for are the indices of the dead units, not a True or False for every unit.",
    killed_by=["13.H4"],
    old="np.flatnonzero(silent.all(axis=0))",
    new="silent.all(axis=0)",
)
edit(
    "dead_are_the_living",
    "activity",
    says="You listed the units that are alive.",
    killed_by=["13.H4"],
    old="silent.all(axis=0)",
    new="~silent.all(axis=0)",
)
edit(
    "dead_counted",
    "activity",
    says="Asked for are the indices of the dead units, not how many there are.",
    killed_by=["13.H4"],
    old="np.flatnonzero(silent.all(axis=0))",
    new="np.count_nonzero(silent.all(axis=0))",
)
edit(
    "no_deaths_is_a_float_array",
    "activity",
    says="An array made from an empty list is float64, and cannot be used as an index. Say which dtype you mean.",
    killed_by=["13.H4"],
    old="np.flatnonzero(silent.all(axis=0))",
    new="np.array([k for k in range(silent.shape[1]) if silent[:, k].all()])",
)
edit(
    "sparsity_is_activity",
    "activity",
    says="Sparsity is the share of zeros. You returned the share of the others.",
    killed_by=["13.H4"],
    old="silent.mean()",
    new="1 - silent.mean()",
)
edit(
    "sparsity_of_units",
    "activity",
    says="Sparsity counts single entries. You returned the share of dead units.",
    killed_by=["13.H4"],
    old="silent.mean()",
    new="silent.all(axis=0).mean()",
)
edit(
    "sparsity_counts_negatives",
    "activity",
    says="Only exact zeros count as silent: a negative output of a leaky unit is activity.",
    killed_by=["13.H4"],
    old="silent.mean()",
    new="(H <= 0).mean()",
)
edit(
    "sparsity_as_count",
    "activity",
    says="A share lies between 0 and 1: divide the number of zeros by the number of entries.",
    killed_by=["13.H4"],
    old="silent.mean()",
    new="silent.sum()",
)
