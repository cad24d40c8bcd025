"""Section 11: what people get wrong."""

import math

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# collapse_linear

edit(
    "collapse_order",
    "collapse_linear",
    says="The later layer multiplies from the left: the first layer acts on x first, so it stands next to x.",
    killed_by=["11.H1"],
    old="W_next @ W, ",
    new="W @ W_next, ",
)
edit(
    "collapse_bias",
    "collapse_linear",
    says="The first bias passes through the second weights like everything that the first layer puts out: W2 b1 + b2.",
    killed_by=["11.H1"],
    old="W_next @ b + b_next",
    new="b + b_next",
)
edit(
    "collapse_last_bias_only",
    "collapse_linear",
    says="Only the last bias is left in your layer. The earlier ones do not vanish: the later weights carry them on.",
    killed_by=["11.H1"],
    old="W_next @ b + b_next",
    new="b_next",
)
edit(
    "collapse_bias_through_its_own_weights",
    "collapse_linear",
    says="A bias is added after its own layer's weights. Only the weights of later layers multiply it.",
    killed_by=["11.H1"],
    old="W_next @ b + b_next",
    new="W_next @ (b + b_next)",
)
edit(
    "collapse_two_layers_only",
    "collapse_linear",
    says="Your layer equals the first two layers. A stack may have more: each further one goes on top of the result.",
    killed_by=["11.H1"],
    old="in layers[1:]:",
    new="in layers[1:2]:",
)


@mistake(
    "collapse_linear",
    says="Your W is transposed: rows belong to outputs, columns to inputs, as in every W of the stack.",
    killed_by=["11.H1"],
)
def collapse_transposed(layers):
    W, b = (part + 0.0 for part in layers[0])
    for W_next, b_next in layers[1:]:
        if W_next.shape[1] != len(b):
            raise ValueError("layers do not chain")
        W, b = W_next @ W, W_next @ b + b_next
    return W.T.copy(), b


edit(
    "collapse_hands_out_the_first_layer",
    "collapse_linear",
    says="For a stack of one layer you return the caller's own arrays. Whoever changes the result changes the network.",
    killed_by=["11.H7"],
    old="(part + 0.0 for part in layers[0])",
    new="(part if part.dtype.kind == 'f' else part + 0.0 for part in layers[0])",
)


@mistake(
    "collapse_linear",
    says="b += ... changes the array of the caller's layer. Make a new array for each sum.",
    killed_by=["11.H7"],
)
def collapse_in_place(layers):
    W, b = layers[0]
    if len(layers) == 1:
        return W + 0.0, b + 0.0
    for W_next, b_next in layers[1:]:
        if W_next.shape[1] != len(b):
            raise ValueError("layers do not chain")
        if b.dtype.kind != "f":
            b_next = b_next + 0.0
        through = W_next @ b
        b_next += through
        W, b = (W_next + 0.0) @ W, b_next
    return W, b + 0.0


@mistake(
    "collapse_linear",
    says="Starting from np.eye and np.zeros makes float64 of everything. A float32 network must stay float32.",
    killed_by=["11.H7"],
)
def collapse_starts_from_eye(layers):
    W, b = np.eye(layers[0][0].shape[1]), np.zeros(layers[0][0].shape[1])
    for W_next, b_next in layers:
        if W_next.shape[1] != len(b):
            raise ValueError("layers do not chain")
        W, b = W_next @ W, W_next @ b + b_next
    return W, b


edit(
    "collapse_keeps_ints",
    "collapse_linear",
    says="Weights given as ints give an int layer in your code. What is computed from ints is float64 here.",
    killed_by=["11.H7"],
    old="part + 0.0 for",
    new="part.copy() for",
)
edit(
    "collapse_lets_numpy_complain",
    "collapse_linear",
    says="Layers that do not fit end in an error of numpy's matrix product. Say yourself that the layers do not chain.",
    killed_by=["11.H8"],
    old="if W_next.shape[1] != len(b):",
    new="if False:",
    not_nameable="numpy's error is a ValueError too; only its text differs, which the diagnosis does not compare",
)

# activation

edit(
    "elu_both_branches",
    "activation",
    says="np.where computes both branches for every x, so elu takes exp(1000) as well. Limit the argument first.",
    killed_by=["11.H2"],
    old="np.expm1(np.minimum(x, 0.0))",
    new="np.exp(x) - 1.0",
)
edit(
    "elu_without_minus_one",
    "activation",
    says="elu of a negative x is exp(x) - 1. Without the - 1 the curve jumps from 1 to 0 at x = 0.",
    killed_by=["11.H2"],
    old="np.expm1(np.minimum(x, 0.0))",
    new="np.exp(np.minimum(x, 0.0))",
)
edit(
    "softplus_overflow",
    "activation",
    says="softplus as log(1 + exp(x)) overflows for large x. Use max(x, 0) plus log1p of exp(-|x|).",
    killed_by=["11.H2"],
    old="np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))",
    new="np.log1p(np.exp(x))",
)
edit(
    "gelu_wrong_scale",
    "activation",
    says="gelu needs the distribution function of the standard normal: erf wants x divided by the root of 2.",
    killed_by=["11.H2"],
    old="erf(x / math.sqrt(2))",
    new="erf(x)",
)
edit(
    "gelu_tanh_form",
    "activation",
    says="This is the approximation of gelu by tanh, off by up to 0.0005. Here the exact form is asked for: erf is given.",
    killed_by=["11.H2"],
    old="(0.5 + 0.5 * erf(x / math.sqrt(2))).astype(x.dtype)",
    new="(0.5 + 0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))",
)
edit(
    "gelu_float64",
    "activation",
    says="erf gives float64, so your gelu of a float32 array is float64. Cast back to the dtype that came in.",
    killed_by=["11.H7"],
    old=".astype(x.dtype)",
    new="",
)
edit(
    "step_open_at_zero",
    "activation",
    says="step fires when the threshold is reached: step(0) is 1.",
    killed_by=["11.H2"],
    old="np.heaviside(x, 1.0)",
    new="np.heaviside(x, 0.0)",
)
edit(
    "step_hides_nan",
    "activation",
    says="A comparison with NaN is false, so your step makes 0 of NaN and hides the error. NaN must stay NaN.",
    killed_by=["11.H2"],
    old="np.heaviside(x, 1.0)",
    new="(x >= 0).astype(x.dtype)",
)
edit(
    "step_as_bool",
    "activation",
    says="step returned True and False. The layers that follow compute with numbers: 1.0 and 0.0.",
    killed_by=["11.H7"],
    old="np.heaviside(x, 1.0)",
    new="x >= 0",
)
edit(
    "step_float64",
    "activation",
    says="step of a float32 array is float64 in your code: np.where with two Python numbers has forgotten what came in.",
    killed_by=["11.H7"],
    old="np.heaviside(x, 1.0)",
    new="np.where(np.isnan(x), np.nan, np.where(x >= 0, 1.0, 0.0))",
)
edit(
    "sigmoid_overflow",
    "activation",
    says="The sigmoid as 1 / (1 + exp(-x)) takes exp(1000) for x = -1000. Take exp of numbers that are not positive.",
    killed_by=["11.H2"],
    old="return np.where(x >= 0, 1.0, small) / (1.0 + small)",
    new="return 1.0 / (1.0 + np.exp(-x))",
)
edit(
    "sigmoid_of_abs",
    "activation",
    says="exp(-|x|) serves both sides, but not with the same formula: for negative x it belongs on top of the fraction.",
    killed_by=["11.H2"],
    old="np.where(x >= 0, 1.0, small)",
    new="1.0",
)
edit(
    "tanh_by_exponentials",
    "activation",
    says="tanh from exp(x) and exp(-x) is infinity by infinity for large x. numpy has a tanh that is right everywhere.",
    killed_by=["11.H2"],
    old="np.tanh(x)",
    new="(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))",
)
edit(
    "relu_hides_nan",
    "activation",
    says="A comparison with NaN is false, so your relu makes 0 of NaN and hides the error. NaN must stay NaN.",
    killed_by=["11.H2"],
    old="np.maximum(x, 0.0)\n        case \"leaky",
    new="np.where(x > 0, x, 0.0).astype(x.dtype)\n        case \"leaky",
)
edit(
    "leaky_tenth",
    "activation",
    says="The slope of leaky_relu on the left is 0.01 in this course.",
    killed_by=["11.H2"],
    old="0.01 * x",
    new="0.1 * x",
)
edit(
    "identity_is_the_argument",
    "activation",
    says="identity hands out the caller's own array. Return a new one, as the other eight do.",
    killed_by=["11.H7"],
    old="    x = np.asarray(x) + 0.0  #",
    new="    x = np.asarray(x)\n    x = x if x.dtype.kind == 'f' else x + 0.0  #",
)
edit(
    "activation_always_float64",
    "activation",
    says="You compute in float64 whatever comes in. float32 must stay float32: it was chosen to save memory.",
    killed_by=["11.H7"],
    old="np.asarray(x) + 0.0",
    new="np.asarray(x) + np.zeros(1)[0]",
)
edit(
    "activation_keeps_ints",
    "activation",
    says="Ints stay ints in your code for the activations that only choose or copy. The result is float64 for ints and bools.",
    killed_by=["11.H7"],
    old="np.asarray(x) + 0.0",
    new="np.array(x)",
)
edit(
    "unknown_is_identity",
    "activation",
    says="An unknown name returns x as if nothing had been asked for. A typing error must not turn a layer linear: refuse it.",
    killed_by=["11.H8"],
    old="    raise ValueError(f\"name is {name!r}, and there is no activation of that name\")",
    new="    return x",
)
edit(
    "unknown_is_a_key_error",
    "activation",
    says="An unknown name ends in a KeyError of your table. What is asked for is a ValueError whose text names `name`.",
    killed_by=["11.H8"],
    old="    raise ValueError(f\"name is {name!r}, and there is no activation of that name\")",
    new="    raise KeyError(name)",
)

# is_affine


@mistake(
    "is_affine",
    says="You tested f(a x) = a f(x), which a bias already breaks. A layer has a bias: test mixtures, not multiples.",
    killed_by=["11.H3", "11.H4"],
)
def linear_not_affine(f, D, seed, tol=1e-6):
    rng = np.random.default_rng(seed)
    for scale in (0.1, 1.0, 10.0):
        x = scale * rng.standard_normal((64, D))
        alpha = rng.random((64, 1))
        one, other = f(alpha * x), alpha * f(x)
        if not np.abs(one - other).max() <= tol * max(np.abs(one).max(), np.abs(other).max()):
            return False
    return True


edit(
    "one_point_test",
    "is_affine",
    says="One lucky pair proves nothing: most pairs do not have the bend between them. Draw 64 at each scale.",
    killed_by=["11.H3"],
    old="x, y = scale * rng.standard_normal((2, 64, D))\n        alpha = rng.random((64, 1))",
    new="x, y = scale * rng.standard_normal((2, 1, D))\n        alpha = rng.random((1, 1))",
)
edit(
    "one_scale",
    "is_affine",
    says="You look at scale 1 only. A bend at x = 7 is seen from scale 10, a tiny one near 0 from scale 0.1.",
    killed_by=["11.H3"],
    old="(0.1, 1.0, 10.0)",
    new="(1.0,)",
)
edit(
    "largest_scale_only",
    "is_affine",
    says="You look at scale 10 only. A small bend near 0 is lost there beside the large values.",
    killed_by=["11.H3"],
    old="(0.1, 1.0, 10.0)",
    new="(10.0,)",
)
edit(
    "last_scale_decides",
    "is_affine",
    says="Your answer is that of the last scale. One failure at any scale is enough to say no.",
    killed_by=["11.H3"],
    old="""        if not gap <= tol * size:  # not "gap > ...": NaN must end here too
            return False
    return True""",
    new="        answer = bool(gap <= tol * size)\n    return answer",
)
edit(
    "first_scale_decides",
    "is_affine",
    says="You return True as soon as one scale is passed. All of them must be.",
    killed_by=["11.H3"],
    old="            return False\n    return True",
    new="            return False\n        return True",
)
edit(
    "alpha_at_the_ends",
    "is_affine",
    says="With alpha 0 or 1 the mixture is one of the two points, and every function passes. Draw alpha between 0 and 1.",
    killed_by=["11.H3", "11.H4"],
    old="rng.random((64, 1))",
    new="rng.integers(0, 2, (64, 1))",
)
edit(
    "opposite_points",
    "is_affine",
    says="Your pairs are x and -x. x cubed and tanh look straight between opposite points; draw y independently of x.",
    killed_by=["11.H3"],
    old="alpha = rng.random((64, 1))",
    new="y, alpha = -x, 0.5",
)
edit(
    "shares_above_one",
    "is_affine",
    says="The two shares must add up to 1: alpha x + (1 - alpha) y. Otherwise the bias counts more than once.",
    killed_by=["11.H3", "11.H4"],
    old="(alpha * fx + (1 - alpha) * fy)",
    new="(alpha * fx + (1 + alpha) * fy)",
)
edit(
    "shares_swapped",
    "is_affine",
    says="The shares of the outputs must be those of the inputs: alpha goes with x and with f(x).",
    killed_by=["11.H3", "11.H4"],
    old="(alpha * fx + (1 - alpha) * fy)",
    new="((1 - alpha) * fx + alpha * fy)",
)
edit(
    "first_output_only",
    "is_affine",
    says="You compare the first output only. All of them must be affine.",
    killed_by=["11.H3"],
    old="gap = np.abs(of_mixture - (alpha * fx + (1 - alpha) * fy)).max()",
    new="gap = np.abs(of_mixture - (alpha * fx + (1 - alpha) * fy))[:, 0].max()",
)
edit(
    "first_input_only",
    "is_affine",
    says="Your points differ in the first input only. The bend may be in another one.",
    killed_by=["11.H3"],
    old="x, y = scale * rng.standard_normal((2, 64, D))",
    new="x, y = scale * rng.standard_normal((2, 64, D)) * (np.arange(D) == 0)",
)
edit(
    "absolute_tolerance",
    "is_affine",
    says="An absolute tolerance fails both ways: 1e12 + x is rounded by more, and a curve of size 1e-12 stays below it.",
    killed_by=["11.H3"],
    old="tol * size",
    new="tol",
)
edit(
    "mixed_tolerance",
    "is_affine",
    says="A fixed amount beside the relative tolerance (as in np.allclose) makes every very small function look affine.",
    killed_by=["11.H3"],
    old="tol * size",
    new="tol * size + 1e-8",
)
edit(
    "own_tolerance",
    "is_affine",
    says="You do not use tol: whoever asks for a coarser or finer test gets the same answer.",
    killed_by=["11.H3"],
    old="tol * size",
    new="1e-6 * size",
)
edit(
    "strictly_less",
    "is_affine",
    says="The zero function is affine: its gap is 0 and its size is 0, so the comparison must allow equality.",
    killed_by=["11.H3"],
    old="not gap <= tol * size",
    new="not gap < tol * size",
)
edit(
    "nan_is_affine",
    "is_affine",
    says="Every comparison with NaN is false, so gap > limit never says no to a function that gives NaN.",
    killed_by=["11.H3"],
    old="not gap <= tol * size",
    new="gap > tol * size",
)
edit(
    "affine_unseeded",
    "is_affine",
    says="default_rng() without the seed draws other points in every run. Use the seed: a failure must be repeatable.",
    killed_by=["11.H3"],
    old="default_rng(seed)",
    new="default_rng()",
    not_nameable="asks f for other points in every run, so a recorded run cannot be repeated",
)
edit(
    "affine_constant_seed",
    "is_affine",
    says="Your generator does not depend on the seed: another seed must ask for other points.",
    killed_by=["11.H3"],
    old="default_rng(seed)",
    new="default_rng(0)",
)
edit(
    "affine_global_random_state",
    "is_affine",
    says="np.random.seed changes the random numbers of the whole program. Make a generator of your own from the seed.",
    killed_by=["11.H3"],
    old="    rng = np.random.default_rng(seed)",
    new="    np.random.seed(seed)\n    rng = np.random",
)

# random_feature_fit

edit(
    "no_output_bias",
    "random_feature_fit",
    says="The output has a bias too. Without a column of ones one hidden unit cannot even fit a straight line.",
    killed_by=["11.H5", "11.H6"],
    old="np.ones(len(x))",
    new="np.zeros(len(x))",
)
edit(
    "no_hidden_bias",
    "random_feature_fit",
    says="Without hidden biases all units bend at x = 0, and 50 relu units are worth two.",
    killed_by=["11.H5"],
    old="b1 = -w * rng.uniform(x.min(), x.max(), n_hidden)",
    new="b1 = 0.0 * w * rng.uniform(x.min(), x.max(), n_hidden)",
)
edit(
    "bends_away_from_the_data",
    "random_feature_fit",
    says="The bends must lie among the data: draw their places from the smallest to the largest x, not around 0.",
    killed_by=["11.H5"],
    old="rng.uniform(x.min(), x.max(), n_hidden)",
    new="rng.uniform(-1, 1, n_hidden)",
)
edit(
    "bias_is_the_place",
    "random_feature_fit",
    says="w x + b is 0 at x = -b / w. To bend at the place c the bias must be -w c, not c.",
    killed_by=["11.H5"],
    old="b1 = -w * rng",
    new="b1 = rng",
)
edit(
    "always_tanh",
    "random_feature_fit",
    says="The hidden layer uses tanh whatever name was asked for.",
    killed_by=["11.H5", "11.H6"],
    old="activation(name, np.outer",
    new="activation(\"tanh\", np.outer",
)
edit(
    "activation_forgotten",
    "random_feature_fit",
    says="The hidden layer has no activation, so your network is a straight line whatever name was asked for.",
    killed_by=["11.H5", "11.H6"],
    old="activation(name, np.outer(x, w) + b1)",
    new="np.outer(x, w) + b1",
)
edit(
    "activation_before_the_bias",
    "random_feature_fit",
    says="The hidden bias is added before the activation: f(w x + b), not f(w x) + b.",
    killed_by=["11.H5", "11.H6"],
    old="activation(name, np.outer(x, w) + b1)",
    new="activation(name, np.outer(x, w)) + b1",
)
edit(
    "random_output_weights",
    "random_feature_fit",
    says="The output weights are not random: they are those with the least mean squared error, found by least squares.",
    killed_by=["11.H5", "11.H6"],
    old="best = np.linalg.lstsq(features, y, rcond=None)[0]",
    new="best = rng.normal(0.0, 1.0, n_hidden + 1)",
)
edit(
    "sum_instead_of_mean",
    "random_feature_fit",
    says="mse is the mean of the squared differences. You returned their sum.",
    killed_by=["11.H5", "11.H6"],
    old="np.mean(",
    new="np.sum(",
)
edit(
    "root_of_the_mean",
    "random_feature_fit",
    says="You returned the root of the mean squared error. Asked for is the mean of the squares itself.",
    killed_by=["11.H5", "11.H6"],
    old="float(mse)",
    new="float(mse) ** 0.5",
)
edit(
    "output_weights_as_column",
    "random_feature_fit",
    says="W2 has one row per output and one column per hidden unit: shape (1, H), not (H, 1).",
    killed_by=["11.H6"],
    old="best[None, :-1]",
    new="best[:-1, None]",
)
edit(
    "hidden_weights_as_row",
    "random_feature_fit",
    says="W1 has one row per hidden unit and one column per input: shape (H, 1), not (1, H).",
    killed_by=["11.H6"],
    old="w[:, None]",
    new="w[None, :]",
)
edit(
    "other_units_returned",
    "random_feature_fit",
    says="The hidden layer that you return is not the one that was fitted: it was drawn a second time.",
    killed_by=["11.H6"],
    old="(w[:, None], b1)",
    new="(rng.normal(0.0, 3.0, n_hidden)[:, None], b1)",
)
edit(
    "fit_unseeded",
    "random_feature_fit",
    says="default_rng() without the seed gives another network in every run. Use the seed.",
    killed_by=["11.H6"],
    old="default_rng(seed)",
    new="default_rng()",
    not_nameable="answers differently in every run, so a recorded answer cannot be repeated",
)
edit(
    "fit_constant_seed",
    "random_feature_fit",
    says="Your generator does not depend on the seed: another seed must give another network.",
    killed_by=["11.H6"],
    old="default_rng(seed)",
    new="default_rng(0)",
)
edit(
    "fit_global_random_state",
    "random_feature_fit",
    says="np.random.seed changes the random numbers of the whole program. Make a generator of your own from the seed.",
    killed_by=["11.H6"],
    old="    rng = np.random.default_rng(seed)",
    new="    np.random.seed(seed)\n    rng = np.random",
)
