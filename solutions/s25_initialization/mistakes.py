"""Section 25: what people get wrong."""

import math
from itertools import pairwise

import numpy as np
from nnkit.grader.mistakes import edit, mistake

# The variances

edit(
    "he_uses_fan_out",
    "_variance",
    says="He divides by the inputs of the neuron, n_in: these are what it adds up. You divided by n_out.",
    killed_by=["25.H1", "25.H2", "25.H7"],
    old='"he": 2 / n_in',
    new='"he": 2 / n_out',
)
edit(
    "he_uses_both",
    "_variance",
    says="He counts the inputs only. You took the mean of inputs and units, as Xavier does.",
    killed_by=["25.H1", "25.H2"],
    old='"he": 2 / n_in',
    new='"he": 4 / (n_in + n_out)',
)
edit(
    "he_factor_1",
    "_variance",
    says="ReLU cuts half of the signal off. He makes up for that with a factor of 2.",
    killed_by=["25.H1", "25.H2", "25.H3"],
    old='"he": 2 / n_in',
    new='"he": 1 / n_in',
)
edit(
    "xavier_factor_1",
    "_variance",
    says="Xavier's variance is 2 / (n_in + n_out): one over the mean of the two numbers, not over their sum.",
    killed_by=["25.H1", "25.H2", "25.H3"],
    old='"xavier": 2 /',
    new='"xavier": 1 /',
)
edit(
    "xavier_uses_inputs_only",
    "_variance",
    says="Xavier looks both ways, at inputs and units: 2 / (n_in + n_out). What you have is LeCun's.",
    killed_by=["25.H1", "25.H2"],
    old='"xavier": 2 / (n_in + n_out)',
    new='"xavier": 1 / n_in',
)
edit(
    "xavier_without_brackets",
    "_variance",
    says="2 / n_in + n_out divides first and adds then. The sum belongs into brackets.",
    killed_by=["25.H1", "25.H2"],
    old='"xavier": 2 / (n_in + n_out)',
    new='"xavier": 2 / n_in + n_out',
)
edit(
    "lecun_factor_2",
    "_variance",
    says="LeCun's variance is 1 / n_in. The factor of 2 belongs to relu, which cuts half of the signal off.",
    killed_by=["25.H1", "25.H2", "25.H4"],
    old='"lecun": 1 / n_in',
    new='"lecun": 2 / n_in',
)
edit(
    "lecun_uses_fan_out",
    "_variance",
    says="LeCun divides by the inputs of the neuron, n_in. You divided by n_out.",
    killed_by=["25.H1", "25.H2"],
    old='"lecun": 1 / n_in',
    new='"lecun": 1 / n_out',
)

# Drawing

edit(
    "variance_as_std",
    "_draw",
    says="The table gives a variance, and numpy's normal wants the standard deviation: take the square root.",
    killed_by=["25.H1", "25.H3"],
    old="math.sqrt(_variance(kind, n_out, n_in))",
    new="_variance(kind, n_out, n_in)",
)
edit(
    "root_of_the_inputs_only",
    "_draw",
    says="The root goes over the whole fraction, the 2 as well: the standard deviation of he is the root of 2 / n_in.",
    killed_by=["25.H1"],
    old="math.sqrt(_variance(kind, n_out, n_in))",
    new='{"xavier": 2 / math.sqrt(n_in + n_out), "he": 2 / math.sqrt(n_in), "lecun": 1 / math.sqrt(n_in)}[kind]',
)
edit(
    "limit_as_std",
    "_draw",
    says="The root of three times the variance is the limit of a uniform distribution. A normal one is given its standard deviation, the root of the variance.",
    killed_by=["25.H1"],
    old="math.sqrt(_variance(kind, n_out, n_in))",
    new="math.sqrt(3 * _variance(kind, n_out, n_in))",
)
edit(
    "std_as_variance",
    "_draw",
    says='For "normal" std is the standard deviation itself. You took its root, as if it were a variance.',
    killed_by=["25.H1", "25.H3"],
    old='spread = std if kind == "normal"',
    new='spread = math.sqrt(std) if kind == "normal"',
)
edit(
    "std_for_every_kind",
    "_draw",
    says='std counts for "normal" only. The other kinds take their spread from the table, whatever std is.',
    killed_by=["25.H1", "25.H4"],
    old='spread = std if kind == "normal" else math.sqrt(_variance(kind, n_out, n_in))',
    new='spread = std * (1 if kind == "normal" else math.sqrt(_variance(kind, n_out, n_in)))',
)
edit(
    "uniform_instead_of_normal",
    "_draw",
    says="The variance is right, but the weights are spread evenly between two limits. Asked for is a normal distribution.",
    killed_by=["25.H1"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="rng.uniform(-math.sqrt(3) * spread, math.sqrt(3) * spread, (n_out, n_in))",
)
edit(
    "positive_weights",
    "_draw",
    says="All your weights are positive. They must be centred on 0, or every unit adds up instead of weighing.",
    killed_by=["25.H1"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="np.abs(rng.normal(0.0, spread, (n_out, n_in)))",
)
edit(
    "shifted_weights",
    "_draw",
    says="rng.random draws from 0 to 1, so the mean of your weights is above 0. They must be centred on 0, and normal.",
    killed_by=["25.H1"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="rng.random((n_out, n_in)) * spread",
)
edit(
    "clipped_weights",
    "_draw",
    says="You cut large weights off. That makes the variance smaller than the table's, and the distribution no longer normal.",
    killed_by=["25.H1"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="np.clip(rng.normal(0.0, spread, (n_out, n_in)), -2 * spread, 2 * spread)",
)
edit(
    "one_number_for_all",
    "_draw",
    says="You drew a single number and gave it to all weights. Each weight needs its own, or all units are the same.",
    killed_by=["25.H1", "25.H5"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="np.full((n_out, n_in), rng.normal(0.0, spread))",
)
edit(
    "one_row_for_all",
    "_draw",
    says="All your units have the same weights: one row was drawn and repeated. Every unit needs a row of its own.",
    killed_by=["25.H1"],
    old="rng.normal(0.0, spread, (n_out, n_in))",
    new="np.tile(rng.normal(0.0, spread, n_in), (n_out, 1))",
)
edit(
    "zeros_almost",
    "_draw",
    says='Your "zeros" are small random numbers. Asked for are zeros, to see what they do.',
    killed_by=["25.H1", "25.H5"],
    old="return np.zeros((n_out, n_in))",
    new="return rng.normal(0.0, 1e-4, (n_out, n_in))",
)
edit(
    "zeros_are_ones",
    "_draw",
    says='For "zeros" you return ones.',
    killed_by=["25.H1"],
    old="np.zeros(",
    new="np.ones(",
)

# initialize

edit(
    "transposed",
    "initialize",
    says="The weights come as (n_out, n_in): one unit per row.",
    killed_by=["25.H1"],
    old="return _draw(kind, n_out, n_in, np.random.default_rng(seed), std)",
    new="return _draw(kind, n_out, n_in, np.random.default_rng(seed), std).T",
)
edit(
    "sizes_swapped",
    "initialize",
    says="n_out comes before n_in. You took the one for the other.",
    killed_by=["25.H1"],
    old="return _draw(kind, n_out, n_in, np.random",
    new="return _draw(kind, n_in, n_out, np.random",
)
edit(
    "std_ignored",
    "initialize",
    says='For "normal" you always draw with 0.01. That is only the default: use the argument std.',
    killed_by=["25.H1"],
    old="np.random.default_rng(seed), std)",
    new="np.random.default_rng(seed), 0.01)",
)
edit(
    "default_spread_1",
    "initialize",
    says='Without a std, "normal" draws with 0.01, not with 1.',
    killed_by=["25.H1"],
    old="std: float = 0.01",
    new="std: float = 1.0",
)


@mistake(
    "initialize",
    says="np.random.seed sets the generator of the whole program, and whoever draws after you is disturbed. Make a generator of your own.",
    killed_by=["25.H6"],
)
def global_rng(kind, n_out, n_in, seed, std=0.01):
    _refuse_unknown("kind", kind, KINDS)
    _refuse_below_one("n_out", n_out)
    _refuse_below_one("n_in", n_in)
    _refuse_no_spread(kind, std)
    np.random.seed(seed % 2**32)
    return _draw(kind, n_out, n_in, np.random.mtrand._rand, std)


edit(
    "seed_unused",
    "initialize",
    says="You always draw from the same seed. Another seed must give other weights.",
    killed_by=["25.H6"],
    old="np.random.default_rng(seed)",
    new="np.random.default_rng(0)",
)
SHARED = np.random.default_rng(25)


@mistake(
    "initialize",
    says="The same seed must give the same weights again, whatever was drawn before: make the generator from the seed in every call.",
    killed_by=["25.H6"],
    not_nameable="what it draws depends on all that it drew before, also for others",
)
def never_the_same(kind, n_out, n_in, seed, std=0.01):
    _refuse_unknown("kind", kind, KINDS)
    _refuse_below_one("n_out", n_out)
    _refuse_below_one("n_in", n_in)
    _refuse_no_spread(kind, std)
    return _draw(kind, n_out, n_in, SHARED, std)


edit(
    "std_refused_where_it_does_not_count",
    "initialize",
    says='You refuse a std of 0 for every kind. Only "normal" draws with it; for the others it does not matter.',
    killed_by=["25.H8"],
    old="_refuse_no_spread(kind, std)",
    new='_refuse_no_spread("normal", std)',
)
edit(
    "float32_weights",
    "initialize",
    says="The weights come as float64 here. Who needs float32 converts them.",
    killed_by=["25.H11"],
    old="np.random.default_rng(seed), std)",
    new="np.random.default_rng(seed), std).astype(np.float32)",
)


@mistake(
    "initialize",
    says="Your zeros are whole numbers. Weights are float64, also where they are 0.",
    killed_by=["25.H11"],
)
def zeros_are_ints(kind, n_out, n_in, seed, std=0.01):
    _refuse_unknown("kind", kind, KINDS)
    _refuse_below_one("n_out", n_out)
    _refuse_below_one("n_in", n_in)
    _refuse_no_spread(kind, std)
    W = _draw(kind, n_out, n_in, np.random.default_rng(seed), std)
    return W.astype(int) if kind == "zeros" else W


edit(
    "any_kind",
    "initialize",
    says="A kind that nobody knows is probably misspelt. Refuse it and name kind.",
    killed_by=["25.H8"],
    old='    _refuse_unknown("kind", kind, KINDS)\n',
    new='    if kind not in KINDS:\n        kind = "normal"\n',
)
edit(
    "any_units",
    "initialize",
    says="A layer has at least one unit: refuse less than 1 and name n_out.",
    killed_by=["25.H8"],
    old='    _refuse_below_one("n_out", n_out)\n',
    new="",
)
edit(
    "any_inputs",
    "initialize",
    says="A unit has at least one input: refuse less than 1 and name n_in.",
    killed_by=["25.H8"],
    old='    _refuse_below_one("n_in", n_in)\n',
    new="    n_in = max(n_in, 1)\n",
)
edit(
    "any_std",
    "initialize",
    says='A std of 0 would make all units alike, and a negative one has no meaning. Refuse both for "normal" and name std.',
    killed_by=["25.H8"],
    old="    _refuse_no_spread(kind, std)\n",
    new="    std = abs(std)\n",
)
edit(
    "std_of_zero",
    "initialize",
    says="You refuse a negative std. A std of 0 must be refused as well: all weights would be 0.",
    killed_by=["25.H8"],
    old="    _refuse_no_spread(kind, std)\n",
    new='    if kind == "normal" and std < 0:\n        raise ValueError("std")\n',
)

# uniform_limit

edit(
    "uniform_same_a",
    "uniform_limit",
    says="The limit is not the standard deviation: a uniform distribution from -a to a has a variance of a²/3, not a².",
    killed_by=["25.H2"],
    old="math.sqrt(3 * _variance(kind, n_out, n_in))",
    new="math.sqrt(_variance(kind, n_out, n_in))",
)
edit(
    "limit_without_root",
    "uniform_limit",
    says="Three times the variance is a². Take the square root.",
    killed_by=["25.H2"],
    old="math.sqrt(3 * _variance(kind, n_out, n_in))",
    new="3 * _variance(kind, n_out, n_in)",
)
edit(
    "limit_divided",
    "uniform_limit",
    says="Solve a²/3 = variance for a: multiply the variance by 3, do not divide it.",
    killed_by=["25.H2"],
    old="math.sqrt(3 * _variance(kind, n_out, n_in))",
    new="math.sqrt(_variance(kind, n_out, n_in) / 3)",
)
edit(
    "whole_width",
    "uniform_limit",
    says="You computed the whole width, from -a to a. The limit a is half of it.",
    killed_by=["25.H2"],
    old="math.sqrt(3 * _variance(kind, n_out, n_in))",
    new="math.sqrt(12 * _variance(kind, n_out, n_in))",
)
edit(
    "root_of_three_left_out",
    "uniform_limit",
    says="The root goes over the 3 as well.",
    killed_by=["25.H2"],
    old="math.sqrt(3 * _variance(kind, n_out, n_in))",
    new="3 * math.sqrt(_variance(kind, n_out, n_in))",
)
edit(
    "xaviers_limit_for_all",
    "uniform_limit",
    says="The root of 6 / (n_in + n_out) is Xavier's limit. He and LeCun have other variances, so other limits.",
    killed_by=["25.H2"],
    old="_variance(kind, n_out, n_in)",
    new='_variance("xavier", n_out, n_in)',
)
edit(
    "limit_of_any_kind",
    "uniform_limit",
    says="The table has three kinds. Refuse every other one, normal and zeros too, and name kind.",
    killed_by=["25.H8"],
    old='    _refuse_unknown("kind", kind, DRAWN)\n',
    new="    if kind not in DRAWN:\n        return 0.0\n",
)
edit(
    "limit_of_any_units",
    "uniform_limit",
    says="A layer has at least one unit, so refuse an n_out of less than 1 here too, and name it.",
    killed_by=["25.H8"],
    old='    _refuse_below_one("n_out", n_out)\n',
    new="",
)
edit(
    "limit_of_any_inputs",
    "uniform_limit",
    says="A unit has at least one input, so refuse an n_in of less than 1 here too, and name it.",
    killed_by=["25.H8"],
    old='    _refuse_below_one("n_in", n_in)\n',
    new="    n_in = abs(n_in) or 1\n",
)

# signal_stds


@mistake(
    "signal_stds",
    says="The input and all layers begin with the same random numbers, because each was drawn from the same seed: the first layer's weights are the input again. Draw everything from one generator.",
    killed_by=["25.H6", "25.H7"],
)
def one_seed_for_everything(sizes, activation, kind, seed, std=0.01, n=256):
    return _with_seeds(sizes, activation, kind, seed, std, n, [seed for _ in sizes])


@mistake(
    "signal_stds",
    says="The first layer's weights are the input again, times a constant: both were drawn from the same seed. Draw everything from one generator.",
    killed_by=["25.H7"],
)
def input_repeats_weights(sizes, activation, kind, seed, std=0.01, n=256):
    return _with_seeds(sizes, activation, kind, seed, std, n, [seed + layer for layer in range(len(sizes))])


@mistake(
    "signal_stds",
    says="Layers of the same size have the same weights, because each was drawn from the same seed. Draw all layers from one generator.",
    killed_by=["25.H6"],
)
def same_seed_each_layer(sizes, activation, kind, seed, std=0.01, n=256):
    return _with_seeds(sizes, activation, kind, seed, std, n, [seed + 1 for _ in sizes])


def _with_seeds(sizes, activation, kind, seed, std, n, seeds):
    _refuse_bad_signals(sizes, activation, kind, std, n)
    signal, found = np.random.default_rng(seed).standard_normal((n, sizes[0])), []
    for own, (n_in, n_out) in zip(seeds, pairwise(sizes)):
        signal = activate(activation, signal @ initialize(kind, n_out, n_in, own, std).T)
        found.append(np.sqrt(np.mean(signal**2)))
    return np.array(found)


def _refuse_bad_signals(sizes, activation, kind, std, n):
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError("sizes")
    _refuse_unknown("activation", activation, ACTIVATIONS)
    _refuse_unknown("kind", kind, KINDS)
    _refuse_no_spread(kind, std)
    _refuse_below_one("n", n)


edit(
    "std_of_last_only",
    "signal_stds",
    says="One number per layer is asked for. You returned that of the last layer alone.",
    killed_by=["25.H4", "25.H7"],
    old="return np.array(found)",
    new="return found[-1]",
)
edit(
    "input_counted",
    "signal_stds",
    says="One number per layer is asked for. You began with that of the input, which is no layer.",
    killed_by=["25.H7"],
    old="return np.array(found)",
    new="return np.array([1.0, *found])",
)
edit(
    "distance_to_the_mean",
    "signal_stds",
    says="The standard deviation takes the mean away first. What the next layer adds up is the whole signal: take the root of the mean square.",
    killed_by=["25.H7"],
    old="np.sqrt(np.mean(signal**2))",
    new="np.std(signal)",
)
edit(
    "mean_square_without_root",
    "signal_stds",
    says="That is the mean square. The root of it is missing.",
    killed_by=["25.H7"],
    old="np.sqrt(np.mean(signal**2))",
    new="np.mean(signal**2)",
)
edit(
    "length_instead_of_mean",
    "signal_stds",
    says="You added up the squares and took the root. It is the mean of the squares that does not depend on how many there are.",
    killed_by=["25.H7"],
    old="np.sqrt(np.mean(signal**2))",
    new="np.sqrt(np.sum(signal**2))",
)
edit(
    "mean_absolute",
    "signal_stds",
    says="That is the mean of the absolute values. Square first, then take the mean, then the root.",
    killed_by=["25.H7"],
    old="np.sqrt(np.mean(signal**2))",
    new="np.mean(np.abs(signal))",
)
edit(
    "before_the_activation",
    "signal_stds",
    says="You measured the sums. Asked for is what the layer puts out, after its activation.",
    killed_by=["25.H4", "25.H7"],
    old="""        signal = activate(activation, signal @ _draw(kind, n_out, n_in, rng, std).T)
        found.append(np.sqrt(np.mean(signal**2)))
""",
    new="""        signal = signal @ _draw(kind, n_out, n_in, rng, std).T
        found.append(np.sqrt(np.mean(signal**2)))
        signal = activate(activation, signal)
""",
)
edit(
    "activation_left_out",
    "signal_stds",
    says="The activation is missing: a layer's output is activate(activation, X @ W.T).",
    killed_by=["25.H3", "25.H7"],
    old="activate(activation, signal @ _draw(kind, n_out, n_in, rng, std).T)",
    new="signal @ _draw(kind, n_out, n_in, rng, std).T",
)
edit(
    "always_relu",
    "signal_stds",
    says="You use relu whatever the activation is called. Hand the name on to activate.",
    killed_by=["25.H4", "25.H7"],
    old="signal = activate(activation, ",
    new='signal = activate("relu", ',
)
edit(
    "fans_swapped_in_the_chain",
    "signal_stds",
    says="A layer's inputs come from the size before it, its units are the size after it. You took the one for the other when you drew.",
    killed_by=["25.H7"],
    old="_draw(kind, n_out, n_in, rng, std).T",
    new="_draw(kind, n_in, n_out, rng, std)",
)
edit(
    "spread_left_out",
    "signal_stds",
    says="The weights of your network are always drawn with 0.01: std does not arrive at them.",
    killed_by=["25.H3", "25.H7"],
    old="n_in, rng, std)",
    new="n_in, rng, 0.01)",
)
edit(
    "input_between_0_and_1",
    "signal_stds",
    says="The input is to come from a normal distribution with mean 0 and variance 1. Numbers from 0 to 1 have a mean square of 1/3.",
    killed_by=["25.H7"],
    old="rng.standard_normal((n, sizes[0]))",
    new="rng.random((n, sizes[0]))",
)
edit(
    "input_of_ones",
    "signal_stds",
    says="Your input is the same for every sample. Draw it from a normal distribution.",
    killed_by=["25.H7"],
    old="rng.standard_normal((n, sizes[0]))",
    new="np.ones((n, sizes[0]))",
)
edit(
    "begins_anew_in_each_layer",
    "signal_stds",
    says="Every layer gets the network's input instead of what the layer before it put out.",
    killed_by=["25.H3", "25.H6"],
    old="""        signal = activate(activation, signal @ _draw(kind, n_out, n_in, rng, std).T)
        found.append(np.sqrt(np.mean(signal**2)))
""",
    new="""        output = activate(activation, signal @ _draw(kind, n_out, n_in, rng, std).T)
        found.append(np.sqrt(np.mean(output**2)))
""",
)
edit(
    "scaled_back",
    "signal_stds",
    says="You bring the signal back to size 1 after each layer, so nothing can shrink or grow. Measure it and leave it.",
    killed_by=["25.H3", "25.H7"],
    old="        found.append(np.sqrt(np.mean(signal**2)))\n",
    new="        found.append(np.sqrt(np.mean(signal**2)))\n        signal = signal / max(found[-1], 1e-300)\n",
)
edit(
    "signal_seed_unused",
    "signal_stds",
    says="You always draw from the same seed: another seed must give another input and other weights.",
    killed_by=["25.H6"],
    old="np.random.default_rng(seed)",
    new="np.random.default_rng(0)",
)
edit(
    "signal_from_the_global_state",
    "signal_stds",
    says="np.random.seed sets the generator of the whole program. Make one of your own in signal_stds, too.",
    killed_by=["25.H6"],
    old="    rng = np.random.default_rng(seed)",
    new="    np.random.seed(seed % 2**32)\n    rng = np.random.mtrand._rand",
)
edit(
    "sizes_used_up",
    "signal_stds",
    says="You took numbers out of the caller's list. Read sizes without changing it.",
    killed_by=["25.H11"],
    old="    return np.array(found)",
    new="    sizes.pop(0)\n    return np.array(found)",
)
edit(
    "float32_signals",
    "signal_stds",
    says="The root mean squares come as float64.",
    killed_by=["25.H11"],
    old="return np.array(found)",
    new="return np.array(found, dtype=np.float32)",
)
edit(
    "any_activation",
    "signal_stds",
    says="A name that activate does not know must be refused with a ValueError that names activation.",
    killed_by=["25.H8"],
    old='    _refuse_unknown("activation", activation, ACTIVATIONS)\n',
    new="",
)
edit(
    "signal_of_any_kind",
    "signal_stds",
    says="signal_stds must refuse an unknown kind just as initialize does.",
    killed_by=["25.H8"],
    old='    _refuse_unknown("kind", kind, KINDS)\n',
    new="",
)
edit(
    "no_layers_at_all",
    "signal_stds",
    says="With a single size there is no layer to measure: refuse fewer than two and name sizes.",
    killed_by=["25.H8"],
    old="len(sizes) < 2 or min(sizes) < 1",
    new="min(sizes) < 1",
)
edit(
    "empty_layers",
    "signal_stds",
    says="A layer has at least one unit: refuse sizes with a number below 1, and name sizes.",
    killed_by=["25.H8"],
    old="len(sizes) < 2 or min(sizes) < 1",
    new="len(sizes) < 2",
)
edit(
    "signal_without_spread",
    "signal_stds",
    says='signal_stds must refuse a std of 0 for "normal" just as initialize does.',
    killed_by=["25.H8"],
    old="    _refuse_no_spread(kind, std)\n",
    new="",
)
edit(
    "no_samples",
    "signal_stds",
    says="The mean over no samples is not a number: refuse an n below 1 and name it.",
    killed_by=["25.H8"],
    old='    _refuse_below_one("n", n)\n',
    new="",
)

# distinct_units

edit(
    "columns_counted",
    "distinct_units",
    says="A unit is a row of W. You compared the columns.",
    killed_by=["25.H5", "25.H9"],
    old="for row in W:",
    new="for row in W.T:",
)
edit(
    "one_entry_is_enough",
    "distinct_units",
    says="Two rows are the same only if all their entries agree. You asked for one that does.",
    killed_by=["25.H9"],
    old=".max() > tol",
    new=".min() > tol",
)
edit(
    "strictly_less",
    "distinct_units",
    says="Rows that differ by exactly tol are the same; with a tol of 0, equal rows would be different otherwise.",
    killed_by=["25.H9"],
    old="> tol",
    new=">= tol",
)
edit(
    "tolerance_ignored",
    "distinct_units",
    says="You compare exactly. Rows that differ by no more than tol are the same unit.",
    killed_by=["25.H9"],
    old="> tol",
    new="> 0",
)
edit(
    "tolerance_fixed",
    "distinct_units",
    says="You always compare with 1e-12. That is only the default: use the argument tol.",
    killed_by=["25.H9"],
    old="> tol",
    new="> 1e-12",
)
edit(
    "relative_tolerance",
    "distinct_units",
    says="np.allclose also allows 1e-5 of the value unless you set rtol to 0, so large weights look alike. Only tol counts.",
    killed_by=["25.H9"],
    old="np.abs(row - other).max() > tol",
    new="not np.allclose(row, other, atol=tol)",
)
edit(
    "mean_difference",
    "distinct_units",
    says="Look at the largest difference of two rows, not at its mean: one weight that differs makes another unit.",
    killed_by=["25.H9"],
    old=".max() > tol",
    new=".mean() > tol",
)
edit(
    "neighbours_only",
    "distinct_units",
    says="You compare each row with the one before it only. A row that comes again later is counted twice.",
    killed_by=["25.H9"],
    old="for other in seen)",
    new="for other in seen[-1:])",
)
edit(
    "compared_with_the_first",
    "distinct_units",
    says="You compare each row with the first one only. Others can be equal among themselves as well.",
    killed_by=["25.H9"],
    old="for other in seen)",
    new="for other in seen[:1])",
)


@mistake(
    "distinct_units",
    says="Rounding to a grid parts numbers that lie close together on two sides of a boundary. Compare the rows with each other.",
    killed_by=["25.H9"],
)
def rounded_to_a_grid(W, tol=1e-12):
    return len(np.unique(np.round(W / tol) if tol > 0 else W, axis=0))


@mistake(
    "distinct_units",
    says="Rows with the same sum need not be the same: [1, 2] and [2, 1] are two units.",
    killed_by=["25.H9"],
)
def sums_compared(W, tol=1e-12):
    seen = []
    for total in W.sum(axis=1):
        if all(abs(total - other) > tol for other in seen):
            seen.append(total)
    return len(seen)


@mistake(
    "distinct_units",
    says="You compare the first weight of each unit only. Two units can agree in it and differ in another.",
    killed_by=["25.H9"],
)
def first_column_only(W, tol=1e-12):
    seen = []
    for first in W[:, 0]:
        if all(abs(first - other) > tol for other in seen):
            seen.append(first)
    return len(seen)


@mistake(
    "distinct_units",
    says="The rank counts rows that no others can be combined to. [1, 1] and [2, 2] are two units, though their rank is 1.",
    killed_by=["25.H9"],
)
def rank_counted(W, tol=1e-12):
    return int(np.linalg.matrix_rank(W, tol=max(tol, 1e-300)))


@mistake(
    "distinct_units",
    says="You counted different numbers. Asked for are different rows.",
    killed_by=["25.H9"],
)
def numbers_counted(W, tol=1e-12):
    return int(np.count_nonzero(np.diff(np.sort(W, axis=None)) > tol)) + 1


edit(
    "twins_counted",
    "distinct_units",
    says="You counted the rows that repeat another one. Asked for is how many different rows there are.",
    killed_by=["25.H5", "25.H9"],
    old="return len(seen)",
    new="return len(W) - len(seen)",
)


@mistake(
    "distinct_units",
    says="You sorted the caller's weights in place. Work on a copy.",
    killed_by=["25.H11"],
)
def sorts_in_place(W, tol=1e-12):
    W[:] = W[np.lexsort(W.T)]
    seen = []
    for row in W:
        if all(np.abs(row - other).max() > tol for other in seen):
            seen.append(row)
    return len(seen)


# recommend

edit(
    "selu_in_the_relu_family",
    "recommend",
    says="selu is not one of the relu family here: it is built for lecun, and with he it grows in every layer.",
    killed_by=["25.H10"],
    old='"he": ("relu", "leaky_relu", "elu"), "lecun": ("selu",)',
    new='"he": ("relu", "leaky_relu", "elu", "selu")',
)
edit(
    "elu_like_selu",
    "recommend",
    says="lecun goes with selu. elu belongs to the relu family: he.",
    killed_by=["25.H10"],
    old='"leaky_relu", "elu"), "lecun": ("selu",)',
    new='"leaky_relu"), "lecun": ("selu", "elu")',
)
edit(
    "variants_forgotten",
    "recommend",
    says="leaky_relu and elu are of the relu family, so he goes with them, too.",
    killed_by=["25.H10"],
    old='"leaky_relu", "elu")',
    new=')',
)
edit(
    "he_and_xavier_swapped",
    "recommend",
    says="xavier goes with sigmoid and tanh, he with relu. You have them the other way round.",
    killed_by=["25.H10"],
    old='{"xavier": ("sigmoid", "tanh"), "he": ("relu", "leaky_relu", "elu")',
    new='{"he": ("sigmoid", "tanh"), "xavier": ("relu", "leaky_relu", "elu")',
)
edit(
    "tanh_with_lecun",
    "recommend",
    says="The table gives xavier for tanh, as for sigmoid.",
    killed_by=["25.H10"],
    old='("sigmoid", "tanh"), "he": ("relu", "leaky_relu", "elu"), "lecun": ("selu",)',
    new='("sigmoid",), "he": ("relu", "leaky_relu", "elu"), "lecun": ("selu", "tanh")',
)
edit(
    "he_for_everything_else",
    "recommend",
    says="You answer he for what the table does not know. Refuse it and name activation.",
    killed_by=["25.H8"],
    old="    raise ValueError(f\"activation must be one of the table's, not {activation!r}\")",
    new='    return "he"',
)
