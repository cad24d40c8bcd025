"""Section 20: what people get wrong."""

import math

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# iterations_per_epoch

edit(
    "floor",
    "iterations_per_epoch",
    says="937.5 is not a number of steps. 937 full batches leave 32 images over, and they make step 938.",
    killed_by=["20.H1"],
    old="-(-n // batch_size)",
    new="n // batch_size",
)
edit(
    "rounds",
    "iterations_per_epoch",
    says="You round to the nearest. Round up: however few samples are left over, they make a batch.",
    killed_by=["20.H1"],
    old="-(-n // batch_size)",
    new="round(n / batch_size)",
)
edit(
    "always_plus_one",
    "iterations_per_epoch",
    says="When it divides evenly there is no batch left over, and none may be added.",
    killed_by=["20.H1"],
    old="-(-n // batch_size)",
    new="n // batch_size + 1",
)
edit(
    "drop_last_ignored",
    "iterations_per_epoch",
    says="drop_last changes nothing in your count. With it only full batches count.",
    killed_by=["20.H1"],
    old="n // batch_size if drop_last else -(-n // batch_size)",
    new="-(-n // batch_size)",
)
edit(
    "drop_last_inverted",
    "iterations_per_epoch",
    says="You drop the last batch when it is to be kept, and keep it when it is to be dropped.",
    killed_by=["20.H1"],
    old="if drop_last",
    new="if not drop_last",
)
edit(
    "drop_one_always",
    "iterations_per_epoch",
    says="With drop_last you leave out the last batch even when it is full. Only a smaller one is dropped.",
    killed_by=["20.H1"],
    old="n // batch_size if",
    new="-(-n // batch_size) - 1 if",
)
edit(
    "count_is_a_float",
    "iterations_per_epoch",
    says="np.ceil returns a float. A count is an int.",
    killed_by=["20.H1"],
    old="-(-n // batch_size)",
    new="float(np.ceil(n / batch_size))",
)
edit(
    "fraction",
    "iterations_per_epoch",
    says="n / b need not be whole, and there are no half iterations: round up.",
    killed_by=["20.H1"],
    old="-(-n // batch_size)",
    new="n / batch_size",
)
edit(
    "at_least_one",
    "iterations_per_epoch",
    says="If one batch that is not full is all there is, dropping it leaves 0 iterations.",
    killed_by=["20.H1"],
    old="n // batch_size if",
    new="max(1, n // batch_size) if",
)
edit(
    "n_unchecked",
    "iterations_per_epoch",
    says="Fewer than one sample has to raise ValueError that names n.",
    killed_by=["20.H7"],
    old="n < 1",
    new="False",
)
edit(
    "batch_size_unchecked",
    "iterations_per_epoch",
    says="A batch size of less than 1 has to raise ValueError that names batch_size; 0 would divide by zero.",
    killed_by=["20.H7"],
    old="batch_size < 1",
    new="False",
)

# epoch_batches: the order

edit(
    "no_shuffle",
    "epoch_batches",
    says="Your indices come in the order of their numbers. Shuffle them.",
    killed_by=["20.H3"],
    old="np.random.default_rng([seed, epoch]).permutation(n)",
    new="np.arange(n)",
)
edit(
    "same_every_epoch",
    "epoch_batches",
    says="All your epochs have the same order. The epoch belongs into the seed of the generator.",
    killed_by=["20.H3"],
    old="[seed, epoch]",
    new="seed",
)
edit(
    "seed_ignored",
    "epoch_batches",
    says="Your order depends on the epoch only. Another seed has to give another one.",
    killed_by=["20.H3"],
    old="[seed, epoch]",
    new="epoch",
)
edit(
    "seed_plus_epoch",
    "epoch_batches",
    says="seed + epoch is the same number for many pairs: seed 5 in epoch 1 repeats seed 6 in epoch 0.",
    killed_by=["20.H3"],
    old="[seed, epoch]",
    new="seed + epoch",
)
edit(
    "seed_times_epoch",
    "epoch_batches",
    says="seed * epoch is 0 for seed 0 in every epoch, and for every seed in epoch 0.",
    killed_by=["20.H3"],
    old="[seed, epoch]",
    new="seed * epoch",
)
edit(
    "unseeded",
    "epoch_batches",
    says="The same seed and epoch have to give the same order again: hand both to your generator.",
    killed_by=["20.H3"],
    old="default_rng([seed, epoch])",
    new="default_rng()",
    not_nameable="its order is new in every run, so no replay gives it again",
)
edit(
    "global_seed",
    "epoch_batches",
    says="np.random.seed changes random numbers for the whole program. Use a generator of your own.",
    killed_by=["20.H3"],
    old="    order = np.random.default_rng([seed, epoch]).permutation(n)",
    new="    np.random.seed([seed, epoch])\n    order = np.random.permutation(n).astype(np.int64)",
)
edit(
    "shuffles_batches_not_samples",
    "epoch_batches",
    says="You cut first and shuffled only the batches, so the same samples always meet. Shuffle the samples, then cut.",
    killed_by=["20.H3"],
    old="order = np.random.default_rng([seed, epoch]).permutation(n)",
    new="order = np.concatenate([np.arange(k, min(k + batch_size, n)) for k in batch_size * np.random.default_rng([seed, epoch]).permutation(n // batch_size)] + [np.arange(n - n % batch_size, n)])",
)
edit(
    "rotated",
    "epoch_batches",
    says="You only begin at a random place: the samples keep their neighbours. Any order has to be possible.",
    killed_by=["20.H8"],
    old="np.random.default_rng([seed, epoch]).permutation(n)",
    new="np.roll(np.arange(n), np.random.default_rng([seed, epoch]).integers(n))",
)
edit(
    "with_replacement",
    "epoch_batches",
    says="Drawing with repetition uses some samples twice and others never. In an epoch every sample comes exactly once.",
    killed_by=["20.H2"],
    old="permutation(n)",
    new="integers(0, n, n)",
)
edit(
    "first_sample_first",
    "epoch_batches",
    says="Your shuffling never moves the first sample. Any order has to be possible.",
    killed_by=["20.H8"],
    old="np.random.default_rng([seed, epoch]).permutation(n)",
    new="np.append(0, 1 + np.random.default_rng([seed, epoch]).permutation(n - 1)).astype(np.int64)",
)
edit(
    "drops_before_shuffling",
    "epoch_batches",
    says="You drop the last samples before shuffling, so the same ones are never used. Shuffle all, then drop.",
    killed_by=["20.H2"],
    old=".permutation(n)",
    new=".permutation(n // batch_size * batch_size if drop_last else n)",
)

# epoch_batches: the cut

edit(
    "always_drops",
    "epoch_batches",
    says="You leave the smaller last batch out although nobody asked. Only drop it with drop_last.",
    killed_by=["20.H2"],
    old="iterations_per_epoch(n, batch_size, drop_last)",
    new="iterations_per_epoch(n, batch_size, True)",
)
edit(
    "never_drops",
    "epoch_batches",
    says="With drop_last the last batch is left out when it is smaller. You keep it.",
    killed_by=["20.H2"],
    old="iterations_per_epoch(n, batch_size, drop_last)",
    new="iterations_per_epoch(n, batch_size)",
)
edit(
    "fills_up_the_last",
    "epoch_batches",
    says="You fill the last batch up with samples that were used already. Let it be smaller.",
    killed_by=["20.H2"],
    old="order[k * batch_size : (k + 1) * batch_size]",
    new="np.resize(order, (k + 1) * batch_size)[k * batch_size :]",
)
edit(
    "moves_the_last_back",
    "epoch_batches",
    says="Your last batch begins earlier to be full, and uses samples of the one before again. Let it be smaller.",
    killed_by=["20.H2"],
    old="order[k * batch_size :",
    new="order[max(0, min(k * batch_size, n - batch_size)) :",
)
edit(
    "equal_parts",
    "epoch_batches",
    says="np.array_split makes parts of nearly equal size (4, 3, 3). All batches but the last are full: 4, 4, 2.",
    killed_by=["20.H2"],
    old="return [order[k * batch_size : (k + 1) * batch_size] for k in range(count)]",
    new="return np.array_split(order[: count * batch_size], max(count, 1))[:count]",
)
edit(
    "number_of_batches",
    "epoch_batches",
    says="batch_size is the number of samples in a batch, not the number of batches.",
    killed_by=["20.H2"],
    old="return [order[k * batch_size : (k + 1) * batch_size] for k in range(count)]",
    new="return np.array_split(order, batch_size)",
)
edit(
    "empty_batch_at_the_end",
    "epoch_batches",
    says="When the batches come out even you add an empty one. An empty batch has no mean gradient.",
    killed_by=["20.H2"],
    old="range(count)",
    new="range(count if drop_last else n // batch_size + 1)",
)
edit(
    "overlapping",
    "epoch_batches",
    says="Your batches begin one sample apart and overlap. Batch k begins at k times batch_size.",
    killed_by=["20.H2"],
    old="order[k * batch_size : (k + 1) * batch_size]",
    new="order[k : k + batch_size]",
)
edit(
    "one_sample_short",
    "epoch_batches",
    says="A slice ends before its second number, so there is no need to take 1 away: your batches lack a sample.",
    killed_by=["20.H2"],
    old="(k + 1) * batch_size]",
    new="(k + 1) * batch_size - 1]",
)
edit(
    "counted_from_one",
    "epoch_batches",
    says="Indices run from 0 to n - 1. Yours run from 1 to n, and X[n] does not exist.",
    killed_by=["20.H2"],
    old="permutation(n)",
    new="permutation(n) + 1",
)
edit(
    "int32",
    "epoch_batches",
    says="The indices have to be int64, as NumPy makes them by itself.",
    killed_by=["20.H6"],
    old="permutation(n)",
    new="permutation(n).astype(np.int32)",
)
edit(
    "lists_of_ints",
    "epoch_batches",
    says="The batches have to be arrays: X[batch] of a list of lists is slow, and a list has no dtype.",
    killed_by=["20.H6"],
    old="(k + 1) * batch_size]",
    new="(k + 1) * batch_size].tolist()",
)


@mistake(
    "epoch_batches",
    says="Picking and deleting from a Python list takes one step per sample. One permutation and slices take none.",
    killed_by=["20.H9"],
    not_nameable="the clock tells, and only that",
)
def python_shuffle(n, batch_size, seed, epoch, drop_last=False):
    count = iterations_per_epoch(n, batch_size, drop_last)
    draws = np.random.default_rng([seed, epoch]).random(n)
    order = list(range(n))
    for last in range(n - 1, 0, -1):
        other = int(draws[last] * (last + 1))
        order[last], order[other] = order[other], order[last]
    return [np.array(order[k * batch_size : (k + 1) * batch_size], dtype=np.int64) for k in range(count)]


# epoch_loss

edit(
    "mean_of_means",
    "epoch_loss",
    says="You took the plain mean of the batch losses. The last batch is smaller: weight each by its size.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return sum(batch_losses) / len(batch_losses)",
)
edit(
    "divides_by_batches",
    "epoch_loss",
    says="You divide by the number of batches. The sum over samples is divided by the number of samples.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return total / len(batch_sizes)",
)
edit(
    "loss_summed",
    "epoch_loss",
    says="That is the sum over all samples. Divide by their number.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return total",
)
edit(
    "sizes_forgotten_above",
    "epoch_loss",
    says="A batch's mean times its size is the sum over its samples. You add the means and divide by the samples.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return sum(batch_losses) / sum(batch_sizes)",
)
edit(
    "first_size_for_all",
    "epoch_loss",
    says="You give all batches the size of the first. The last may be smaller.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return total / (batch_sizes[0] * len(batch_sizes))",
)
edit(
    "last_batch_left_out",
    "epoch_loss",
    says="You leave the last batch out. It is smaller, but its samples count like all others.",
    killed_by=["20.H4"],
    old="return total / sum(batch_sizes)",
    new="return (total - batch_losses[-1] * batch_sizes[-1]) / sum(batch_sizes[:-1]) if len(batch_sizes) > 1 else total / sum(batch_sizes)",
)
edit(
    "sorted_sizes",
    "epoch_loss",
    says="You assume that the smaller batch comes last. Each loss has its own size, at the same place of the lists.",
    killed_by=["20.H4"],
    old="zip(batch_losses, batch_sizes,",
    new="zip(batch_losses, sorted(batch_sizes, reverse=True),",
)
edit(
    "pops_the_lists",
    "epoch_loss",
    says="pop empties the caller's lists. Read them and leave them as they are.",
    killed_by=["20.H6"],
    old="zip(batch_losses, batch_sizes, strict=True))",
    new="zip(batch_losses, batch_sizes, strict=True)) + 0 * batch_losses.pop()",
)
edit(
    "zip_cuts_off",
    "epoch_loss",
    says="zip stops at the end of the shorter list and says nothing. Raise ValueError, naming batch_sizes, when the lengths differ.",
    killed_by=["20.H7"],
    old="""    if len(batch_losses) != len(batch_sizes):
        raise ValueError(f"there are {len(batch_sizes)} batch_sizes for {len(batch_losses)} losses")
    total = sum(loss * size for loss, size in zip(batch_losses, batch_sizes, strict=True))""",
    new="    total = sum(loss * size for loss, size in zip(batch_losses, batch_sizes))",
)

# position

edit(
    "swapped",
    "position",
    says="The epoch comes first, then the iteration within it.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="divmod(step, count)[::-1]",
)
edit(
    "epoch_from_one",
    "position",
    says="Epochs are counted from 0 here: step 0 belongs to epoch 0.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="(step // count + 1, step % count)",
)
edit(
    "iteration_from_one",
    "position",
    says="Iterations are counted from 0 here: step 0 is iteration 0.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="(step // count, step % count + 1)",
)
edit(
    "step_from_one",
    "position",
    says="Steps are counted from 0. You are one step behind.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="divmod(max(step - 1, 0), count)",
)
edit(
    "iteration_not_reset",
    "position",
    says="The iteration starts from 0 again in each epoch. You return the step.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="(step // count, step)",
)
edit(
    "position_drops_always",
    "position",
    says="Without drop_last the smaller batch at the end of an epoch is a step, too.",
    killed_by=["20.H5"],
    old="iterations_per_epoch(n, batch_size, drop_last)",
    new="iterations_per_epoch(n, batch_size, True)",
)
edit(
    "position_ignores_drop_last",
    "position",
    says="With drop_last an epoch has one step less when samples are left over.",
    killed_by=["20.H5"],
    old="iterations_per_epoch(n, batch_size, drop_last)",
    new="iterations_per_epoch(n, batch_size)",
)
edit(
    "epochs_by_samples",
    "position",
    says="An epoch ends with its smaller batch. step * batch_size // n lets batches reach over the end of an epoch.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="(step * batch_size // n, step % count)",
)
edit(
    "epoch_as_a_fraction",
    "position",
    says="step / iterations is a fraction. The epoch is a whole number.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="(step / count, step % count)",
)
edit(
    "position_as_a_list",
    "position",
    says="Return a tuple (epoch, iteration), not a list.",
    killed_by=["20.H5"],
    old="divmod(step, count)",
    new="list(divmod(step, count))",
)
edit(
    "negative_step",
    "position",
    says="There is no step -1: Python's // and % would put it into epoch -1. Raise ValueError, naming step.",
    killed_by=["20.H7"],
    old="step < 0",
    new="False",
)
edit(
    "no_iterations_divides_by_zero",
    "position",
    says="Without a full batch an epoch with drop_last has 0 iterations, and you divide by 0. Raise ValueError, naming batch_size.",
    killed_by=["20.H5"],
    old="count == 0",
    new="False",
)
edit(
    "no_iterations_is_one",
    "position",
    says="Without a full batch an epoch with drop_last has no iteration, so there is no step. Raise ValueError, naming batch_size.",
    killed_by=["20.H5"],
    old="    if count == 0:",
    new="    count = max(count, 1)\n    if count == 0:",
)
