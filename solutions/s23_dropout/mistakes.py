"""Section 23: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# dropout in training

edit(
    "keep_probability",
    "dropout",
    says="p is the probability to drop. You keep with probability p.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x * (u < p) / (1 - p)",
)
edit(
    "keep_probability_throughout",
    "dropout",
    says="You take p for the probability to keep, as the papers do: you keep where u is less than p, and divide by p. Here p is the probability to drop.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * (u < p) / p",
)
edit(
    "no_scaling",
    "dropout",
    says="You drop, but do not scale. Divide by 1 - p, or the next layer sees less signal in training than at test time.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * (u >= p) * 1.0",
)
edit(
    "scale_by_p",
    "dropout",
    says="You divide by p. Survivors are divided by the probability to keep, 1 - p.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * (u >= p) / p",
)
edit(
    "times_keep",
    "dropout",
    says="You multiply the survivors by 1 - p, which makes them smaller still. Divide by it: they stand in for the dropped.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * (u >= p) * (1 - p)",
)
edit(
    "scale_twice_in_training",
    "dropout",
    says="You divide by 1 - p twice. Once makes the mean over all masks x.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * (u >= p) / (1 - p) ** 2",
)
edit(
    "scaled_by_actual_share",
    "dropout",
    says="You divide by the share that happened to be kept. Divide by 1 - p, which is the same for every mask: otherwise what one unit gives depends on how many others were dropped.",
    killed_by=["23.H1", "23.H4"],
    old="_drop(x, p, u)",
    new="x * (u >= p) / max(float(np.mean(u >= p)) if np.size(u) else 1.0, 1e-9)",
)
edit(
    "everything_scaled",
    "dropout",
    says="You scale, but nothing is dropped.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x / (1 - p)",
)
edit(
    "boundary_dropped",
    "dropout",
    says="A number is dropped where u is less than p. Where u is exactly p it is kept, so that p = 0 drops nothing at all.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x * (u > p) / (1 - p)",
)
edit(
    "mask_of_the_first_sample",
    "dropout",
    says="You use the first row of u for all samples. Every sample has a row, and so a mask, of its own.",
    killed_by=["23.H1", "23.H4"],
    old="_drop(x, p, u)",
    new="x * (u[:1] >= p) / (1 - p)",
)
edit(
    "mask_by_size",
    "dropout",
    says="You compare x with p. Which numbers are dropped has nothing to do with their size: u decides.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x * (x >= p) / (1 - p)",
)
edit(
    "rounded_uniforms",
    "dropout",
    says="You compare u with one half. Compare it with p.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x * (u >= 0.5) / (1 - p)",
)
edit(
    "draws_its_own",
    "dropout",
    says="You draw random numbers of your own. Use u: the backward pass needs the very same mask.",
    killed_by=["23.H1"],
    old="_drop(x, p, u)",
    new="x * (np.random.default_rng(0).random(np.shape(x)) >= p) / (1 - p)",
)


@mistake(
    "dropout",
    says="You drop exactly a share p, those with the smallest u. Each number is dropped by itself, where its u is less than p; how many that makes is up to chance.",
    killed_by=["23.H4"],
)
def smallest_are_dropped(x, p, u, training):
    _refuse_bad_input(p, x, u)
    if not training:
        return x * 1.0
    order = np.argsort(np.argsort(np.ravel(u)))
    return x * (order >= round(p * np.size(u))).reshape(np.shape(u)) / (1 - p)


@mistake(
    "dropout",
    says="You change the caller's x in place. The backward pass of the layer before still needs it: make a new array.",
    killed_by=["23.H1"],
)
def in_place(x, p, u, training):
    _refuse_bad_input(p, x, u)
    if not training:
        return x * 1.0
    x[u < p] = 0
    return x / (1 - p)


# dropout at test time

edit(
    "active_at_test",
    "dropout",
    says="You drop at test time as well. Then all neurons take part.",
    killed_by=["23.H1", "23.H6"],
    old="    if not training:\n        return x * 1.0  # a new array, and floats even if x has whole numbers\n",
    new="",
)
edit(
    "nothing_in_training",
    "dropout",
    says="In training you return x as it is. It is at test time that nothing is dropped and nothing scaled.",
    killed_by=["23.H1", "23.H6"],
    old="_drop(x, p, u)",
    new="x * 1.0",
)
edit(
    "scaled_twice",
    "dropout",
    says="You scale in training and once more, by 1 - p, at test time. Scale once: inverted dropout does so in training, and leaves the test alone.",
    killed_by=["23.H1", "23.H6"],
    old="x * 1.0",
    new="x * (1 - p)",
)
edit(
    "scaled_up_at_test",
    "dropout",
    says="You divide by 1 - p at test time too. There all units take part and nothing is missing that would have to be made up for.",
    killed_by=["23.H1", "23.H6"],
    old="x * 1.0",
    new="x / (1 - p)",
)
edit(
    "returns_the_argument",
    "dropout",
    says="At test time you return the caller's own array. Whoever changes the result then changes x as well: return a copy.",
    killed_by=["23.H5"],
    old="x * 1.0",
    new="x if x.dtype.kind == 'f' else x * 1.0",
)
edit(
    "returns_the_argument_at_rate_zero",
    "dropout",
    says="With p = 0 you return the caller's own array. Whoever changes the result then changes x as well: return a copy.",
    killed_by=["23.H5"],
    old="    return _drop(x, p, u)",
    new="    if p == 0:\n        return x\n    return _drop(x, p, u)",
)
edit(
    "copy_keeps_ints",
    "dropout",
    says="At test time ints stay ints, and bools bools, though in training they become float64. A layer gives the same kind of number in both modes.",
    killed_by=["23.H7"],
    old="x * 1.0",
    new="x.copy()",
)
edit(
    "mask_of_float64",
    "dropout",
    says="Your mask has float64 numbers and makes float64 of a float32 x. float32 must stay float32: everything after this layer would take twice the memory and time.",
    killed_by=["23.H7"],
    old="_drop(x, p, u)",
    new="x * ((u >= p) / (1 - p))",
)
edit(
    "always_float64_at_test",
    "dropout",
    says="At test time you return float64 whatever comes in. float32 must stay float32.",
    killed_by=["23.H7"],
    old="x * 1.0",
    new="np.array(x, dtype=np.float64)",
)

# dropout and bad input

edit(
    "unchecked",
    "dropout",
    says="dropout takes any p and any u. Refuse what cannot be right with a ValueError that names the argument: numpy stretches a u of another shape in silence.",
    killed_by=["23.H8"],
    old="    _refuse_bad_input(p, x, u)\n",
    new="",
)
edit(
    "checked_in_training_only",
    "dropout",
    says="You check p and u in training only. A program that is tested first would not find its error until it trains.",
    killed_by=["23.H8"],
    old="    _refuse_bad_input(p, x, u)\n",
    new="    if training:\n        _refuse_bad_input(p, x, u)\n",
)
edit(
    "one_is_allowed",
    "_refuse_bad_input",
    says="p = 1 is accepted. It would drop everything, and 1 / (1 - p) is a division by zero.",
    killed_by=["23.H8"],
    old="p < 1",
    new="p <= 1",
)
edit(
    "negative_is_allowed",
    "_refuse_bad_input",
    says="A negative p is accepted. A probability is never negative.",
    killed_by=["23.H8"],
    old="not 0 <= p < 1",
    new="p >= 1",
)
edit(
    "size_is_enough",
    "_refuse_bad_input",
    says="You compare how many numbers u and x have. A u of shape (2, 6) does not belong to an x of shape (3, 4): compare the shapes.",
    killed_by=["23.H8"],
    old="np.shape(u) != np.shape(values)",
    new="np.size(u) != np.size(values)",
)
edit(
    "last_axis_is_enough",
    "_refuse_bad_input",
    says="You compare the last axis only. Then numpy stretches one row of u over all samples, and all have the same mask.",
    killed_by=["23.H8"],
    old="np.shape(u) != np.shape(values)",
    new="np.shape(u)[-1:] != np.shape(values)[-1:]",
)

# dropout_backward

edit(
    "backward_no_mask",
    "dropout_backward",
    says="Your gradient goes through dropped units too. They had no part in the loss and get no gradient.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream / (1 - p)",
)
edit(
    "backward_no_scale",
    "dropout_backward",
    says="Survivors were divided by 1 - p on the way forward. The same factor applies to their gradients.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u >= p) * 1.0",
)
edit(
    "backward_identity",
    "dropout_backward",
    says="You pass the gradient on as it is. In training it meets the same mask and the same factor as the numbers did.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u) if training else upstream * 1.0",
    new="upstream * 1.0",
)
edit(
    "backward_keep_probability",
    "dropout_backward",
    says="Your gradient goes through the dropped units and not through the others. p is the probability to drop, backwards too.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u < p) / (1 - p)",
)
edit(
    "backward_keep_probability_throughout",
    "dropout_backward",
    says="You take p for the probability to keep, on the way back: gradients pass where u is less than p, divided by p. Here p is the probability to drop.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u < p) / p",
)
edit(
    "backward_boundary",
    "dropout_backward",
    says="On the way forward a number is kept where u is exactly p. Its gradient must pass as well.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u > p) / (1 - p)",
)
edit(
    "backward_times_keep",
    "dropout_backward",
    says="You multiply gradients by 1 - p, as if the way back undid the scaling. The slope of x / (1 - p) is 1 / (1 - p).",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u >= p) * (1 - p)",
)
edit(
    "backward_scale_by_p",
    "dropout_backward",
    says="You divide gradients by p. Like the survivors, they are divided by the probability to keep.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u >= p) / p",
)
edit(
    "backward_scales_twice",
    "dropout_backward",
    says="Your gradients are divided by 1 - p twice. The slope is the factor of the way forward, once.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (u >= p) / (1 - p) ** 2",
)
edit(
    "backward_slope_only",
    "dropout_backward",
    says="You return the slope of dropout. The chain rule multiplies what arrives, upstream, by it.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="np.ones_like(upstream) * (u >= p) / (1 - p)",
)
edit(
    "backward_draws_anew",
    "dropout_backward",
    says="You draw a new mask on the way back. Use the same u: a unit that was dropped must get no gradient, and one that was not needs its own.",
    killed_by=["23.H2"],
    old="_drop(upstream, p, u)",
    new="upstream * (np.random.default_rng(0).random(np.shape(upstream)) >= p) / (1 - p)",
)
edit(
    "backward_active_at_test",
    "dropout_backward",
    says="You mask gradients at test time too. Nothing was dropped there, so everything passes as it is.",
    killed_by=["23.H2"],
    old=" if training else upstream * 1.0",
    new="",
)
edit(
    "backward_scaled_at_test",
    "dropout_backward",
    says="At test time you multiply gradients by 1 - p. Nothing was scaled there on the way forward, so the slope is 1.",
    killed_by=["23.H2"],
    old="else upstream * 1.0",
    new="else upstream * (1 - p)",
)
edit(
    "backward_blocks_at_test",
    "dropout_backward",
    says="At test time you let no gradient pass. dropout is the identity there, with slope 1.",
    killed_by=["23.H2"],
    old="else upstream * 1.0",
    new="else upstream * 0.0",
)
edit(
    "backward_returns_the_argument",
    "dropout_backward",
    says="At test time you return the caller's own gradient. Whoever changes the result then changes it as well: return a copy.",
    killed_by=["23.H5"],
    old="else upstream * 1.0",
    new="else upstream",
)
edit(
    "backward_in_float64",
    "dropout_backward",
    says="Your mask of float64 makes float64 of gradients in float32. They must stay float32.",
    killed_by=["23.H7"],
    old="_drop(upstream, p, u)",
    new="upstream * ((u >= p) / (1 - p))",
)
edit(
    "backward_unchecked",
    "dropout_backward",
    says="dropout_backward takes any p and any u. Refuse what cannot be right, as on the way forward.",
    killed_by=["23.H8"],
    old="    _refuse_bad_input(p, upstream, u)\n",
    new="",
)

# dropout_seeded

edit(
    "one_mask_per_batch",
    "dropout_seeded",
    says="All your samples lose the same units. Draw one number for each entry of x, so that every sample gets a mask of its own.",
    killed_by=["23.H3", "23.H4"],
    old=".random(np.shape(x))",
    new=".random(np.shape(x)[1:]) * np.ones(np.shape(x))",
)
edit(
    "whole_samples",
    "dropout_seeded",
    says="You drop whole samples. Each entry of x is dropped or kept by itself.",
    killed_by=["23.H3", "23.H4"],
    old=".random(np.shape(x))",
    new=".random((*np.shape(x)[:-1], 1)) * np.ones(np.shape(x))",
)
edit(
    "whole_channels",
    "dropout_seeded",
    says="You draw one number for each sample and column, and share it along the rest of the array. Each entry of x is dropped or kept by itself.",
    killed_by=["23.H3"],
    old=".random(np.shape(x))",
    new=".random(np.shape(x)[:2]).reshape(np.shape(x)[:2] + (1,) * (np.ndim(x) - 2)) * np.ones(np.shape(x))",
)


@mistake(
    "dropout_seeded",
    says="You drop exactly the same number of units in every row. Each unit is dropped independently, so some rows lose more than others.",
    killed_by=["23.H4"],
)
def exact_count(x, p, seed):
    _refuse_bad_input(p, x, x)
    draws = np.random.default_rng(seed).random(np.shape(x))
    ranks = np.argsort(np.argsort(draws, axis=-1), axis=-1)
    return x * (ranks >= round(p * np.shape(x)[-1])) / (1 - p)


@mistake(
    "dropout_seeded",
    says="You drop exactly the same number of entries every time. Each is dropped independently, so how many they are varies from seed to seed.",
    killed_by=["23.H4"],
)
def exact_total(x, p, seed):
    _refuse_bad_input(p, x, x)
    keep = np.ones(np.size(x))
    keep[np.random.default_rng(seed).choice(np.size(x), round(p * np.size(x)), replace=False)] = 0
    return (x * keep.reshape(np.shape(x)) / (1 - p)).astype(np.float32 if x.dtype == np.float32 else np.float64)


@mistake(
    "dropout_seeded",
    says="You drop a half whatever p is. Compare uniform numbers with p.",
    killed_by=["23.H3"],
)
def throws_a_coin(x, p, seed):
    _refuse_bad_input(p, x, x)
    return x * np.random.default_rng(seed).integers(0, 2, np.shape(x)).astype(bool) / (1 - p)


@mistake(
    "dropout_seeded",
    says="You draw ones with probability p and keep those. p is the probability to drop.",
    killed_by=["23.H3"],
)
def draws_what_to_keep(x, p, seed):
    _refuse_bad_input(p, x, x)
    return x * (np.random.default_rng(seed).binomial(1, p, np.shape(x)) == 1) / (1 - p)


edit(
    "normal_numbers",
    "dropout_seeded",
    says="You draw normal numbers: half of them are negative, so far more than the share p lies below p. Draw uniform ones.",
    killed_by=["23.H3"],
    old=".random(np.shape(x))",
    new=".standard_normal(np.shape(x))",
)
edit(
    "seeded_without_scaling",
    "dropout_seeded",
    says="dropout_seeded drops, but does not scale. It is inverted dropout in training: survivors are divided by 1 - p.",
    killed_by=["23.H3"],
    old="_drop(x, p, u)",
    new="x * (u >= p) * 1.0",
)
edit(
    "seeded_at_test_time",
    "dropout_seeded",
    says="dropout_seeded drops nothing. It is dropout in training.",
    killed_by=["23.H3"],
    old="_drop(x, p, u)",
    new="x * 1.0",
)
edit(
    "fixed_seed",
    "dropout_seeded",
    says="Your mask does not depend on the seed. Another seed must give another mask.",
    killed_by=["23.H5"],
    old="default_rng(seed)",
    new="default_rng(0)",
)
edit(
    "unseeded",
    "dropout_seeded",
    says="You draw without the seed, so nobody can repeat what you did. The same seed must give the same mask.",
    killed_by=["23.H5"],
    old="default_rng(seed)",
    new="default_rng()",
    not_nameable="its answers are other ones every time",
)
edit(
    "seed_zero_is_none",
    "dropout_seeded",
    says="Seed 0 is a seed like any other; `if seed` or `seed or ...` takes it for none.",
    killed_by=["23.H5"],
    old="default_rng(seed)",
    new="default_rng(seed or None)",
    not_nameable="its answers to seed 0 are other ones every time",
)


@mistake(
    "dropout_seeded",
    says="np.random.seed sets the random state of the whole program. Make a generator of your own from the seed.",
    killed_by=["23.H5"],
)
def global_seed(x, p, seed):
    np.random.seed(seed)
    return _drop(x, p, np.random.random(np.shape(x)))


@mistake(
    "dropout_seeded",
    says="With p = 0 you return the caller's own array. Make a new one.",
    killed_by=["23.H5"],
)
def seeded_returns_the_argument(x, p, seed):
    if p == 0:
        return x
    _refuse_bad_input(p, x, x)
    return _drop(x, p, np.random.default_rng(seed).random(np.shape(x)))


@mistake(
    "dropout_seeded",
    says="Your mask of float64 makes float64 of a float32 x. float32 must stay float32.",
    killed_by=["23.H7"],
)
def seeded_in_float64(x, p, seed):
    _refuse_bad_input(p, x, x)
    return x * ((np.random.default_rng(seed).random(np.shape(x)) >= p) / (1 - p))


@mistake(
    "dropout_seeded",
    says="dropout_seeded takes any p. Refuse one below 0, or of 1 or more, with a ValueError that names it.",
    killed_by=["23.H8"],
)
def seeded_unchecked(x, p, seed):
    return x * (np.random.default_rng(seed).random(np.shape(x)) >= p) / (1 - p)


# classic_dropout

edit(
    "classic_scale_p",
    "classic_dropout",
    says="At test time you multiply by p. Multiply by the probability to keep, 1 - p.",
    killed_by=["23.H6"],
    old="x * (1 - p)",
    new="x * p",
)
edit(
    "classic_without_scaling",
    "classic_dropout",
    says="The classic variant does not scale in training, so it must at test time: otherwise the next layer suddenly sees more than it was trained with.",
    killed_by=["23.H6"],
    old="x * (1 - p)",
    new="x * 1.0",
)
edit(
    "classic_divides_at_test",
    "classic_dropout",
    says="At test time all units take part, more than in training. You divide by 1 - p, which makes that worse: multiply.",
    killed_by=["23.H6"],
    old="x * (1 - p)",
    new="x / (1 - p)",
)
edit(
    "classic_scaled_in_training",
    "classic_dropout",
    says="The classic variant scales at test time only: in training what is kept stays as it is. You divide it by 1 - p.",
    killed_by=["23.H6"],
    old="(u >= p) * 1.0",
    new="(u >= p) / (1 - p)",
)
edit(
    "classic_active_at_test",
    "classic_dropout",
    says="You drop at test time as well. There every unit takes part, scaled by 1 - p.",
    killed_by=["23.H6"],
    old="else x * (1 - p)",
    new="else x * (u >= p) * 1.0",
)
edit(
    "classic_masked_and_scaled_at_test",
    "classic_dropout",
    says="At test time you drop and scale. Scaling takes the place of dropping there.",
    killed_by=["23.H6"],
    old="else x * (1 - p)",
    new="else x * (u >= p) * (1 - p)",
)
edit(
    "classic_keeps_what_it_drops",
    "classic_dropout",
    says="In training you keep where u is less than p. That is where a number is dropped.",
    killed_by=["23.H6"],
    old="u >= p",
    new="u < p",
)
edit(
    "classic_boundary",
    "classic_dropout",
    says="Where u is exactly p the number is kept, in both variants.",
    killed_by=["23.H6"],
    old="u >= p",
    new="u > p",
)
edit(
    "classic_scales_instead",
    "classic_dropout",
    says="In training you multiply everything by 1 - p and drop nothing. That is what happens at test time.",
    killed_by=["23.H6"],
    old="x * (u >= p) * 1.0",
    new="x * (1 - p)",
)
edit(
    "classic_keeps_ints",
    "classic_dropout",
    says="In training ints stay ints, because nothing is divided. A layer gives floats in both modes: float64 here.",
    killed_by=["23.H7"],
    old="(u >= p) * 1.0",
    new="(u >= p)",
)
edit(
    "classic_mask_of_float64",
    "classic_dropout",
    says="In training your mask of float64 makes float64 of a float32 x. float32 must stay float32.",
    killed_by=["23.H7"],
    old="(u >= p) * 1.0",
    new="(u >= p).astype(np.float64)",
)
edit(
    "classic_unchecked",
    "classic_dropout",
    says="classic_dropout takes any p and any u. Refuse what cannot be right, as dropout does.",
    killed_by=["23.H8"],
    old="    _refuse_bad_input(p, x, u)\n",
    new="",
)

# count_subnetworks

edit(
    "two_per_unit",
    "count_subnetworks",
    says="You add two choices per unit. Choices multiply: 2 for the first, times 2 for the second, and so on.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="2 * n_units",
)
edit(
    "square",
    "count_subnetworks",
    says="That is n squared. Each of n units has two states, which makes a power of 2.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="n_units**2",
)
edit(
    "without_the_empty_one",
    "count_subnetworks",
    says="You leave one out. All units can be dropped at once, so that network counts too.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="2**n_units - 1",
)
edit(
    "orders",
    "count_subnetworks",
    says="The factorial counts orders. Here only counts which units are in and which are out.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="int(np.prod(np.arange(1, n_units + 1, dtype=object)))",
)
edit(
    "count_is_a_float",
    "count_subnetworks",
    says="A float has 53 bits and is no count. Stay with ints, which are exact in Python however large they are.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="2.0**n_units",
)
edit(
    "overflows",
    "count_subnetworks",
    says="numpy's ints have 64 bits and overflow in silence. Python's own ints are exact however large they are.",
    killed_by=["23.H9"],
    old="2**n_units",
    new="int(np.left_shift(np.int64(1), np.int64(n_units)))",
)
