"""Section 38c: what people get wrong."""

import numpy as np
import torch
from torch import nn

from nnkit.grader.mistakes import edit, mistake

# The network

edit(
    "no_border", "build_model", killed_by=["38c.H1", "38c.H4"],
    says="Without a border of zeros a convolution of 3 x 3 makes the image two pixels smaller: padding=1 keeps its side.",
    old="""layers += [nn.Conv2d(channels, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = count
        layers += [nn.Flatten(), nn.Linear(channels * left**2, units), nn.ReLU(), nn.Linear(units, 10)]""",
    new="""layers += [nn.Conv2d(channels, count, 3), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = count, (side - 2) // 2
        layers += [nn.Flatten(), nn.Linear(channels * side**2, units), nn.ReLU(), nn.Linear(units, 10)]""",
)
edit(
    "repeated_border", "build_model", killed_by=["38c.H1", "38c.H2"],
    says="The border repeats the pixels at the rim; it is made of zeros here.",
    old="count, 3, padding=1)", new='count, 3, padding=1, padding_mode="replicate")',
)
edit(
    "average_pooling", "build_model", killed_by=["38c.H1"],
    says="The pooling takes the mean of four pixels; the maximum was asked for.",
    old="nn.MaxPool2d(2)", new="nn.AvgPool2d(2)",
)
edit(
    "strides_for_pooling", "build_model", killed_by=["38c.H1"],
    says="A stride of 2 instead of a pooling looks at every fourth place only. Look at all of them and keep the maximum.",
    old="count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]", new="count, 3, padding=1, stride=2), nn.ReLU(), nn.MaxPool2d(1)]",
)
edit(
    "no_relu_between_convolutions", "build_model", killed_by=["38c.H1", "38c.H2"],
    says="After the convolutions the ReLU is missing.",
    old="count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]", new="count, 3, padding=1), nn.MaxPool2d(2)]",
)
edit(
    "one_pooling", "build_model", killed_by=["38c.H1", "38c.H4"],
    says="Only the first convolution is followed by a pooling, as in the tutorial's picture; here every one is.",
    old="nn.ReLU(), nn.MaxPool2d(2)]\n            channels = count\n        layers += [nn.Flatten(), nn.Linear(channels * left**2, units)",
    new="nn.ReLU(), nn.MaxPool2d(2 if channels == 1 else 1)]\n            channels = count\n        layers += [nn.Flatten(), nn.Linear(channels * (side // 2) ** 2, units)",
)
edit(
    "one_channel_each", "build_model", killed_by=["38c.H1", "38c.H4"],
    says="Each filter sees one channel only. A filter is as deep as what comes in.",
    old="nn.Conv2d(channels, count, 3, padding=1)", new="nn.Conv2d(1, count, 3, padding=1)",
)
edit(
    "ignores_the_numbers_asked_for", "build_model", killed_by=["38c.H1", "38c.H4"],
    says="The network always has 32 and 64 filters; make as many as filters says.",
    old="for count in filters:", new="for count in (32, 64)[: len(filters)]:",
)
edit(
    "softmax_at_the_end", "build_model", killed_by=["38c.H1"],
    says="The network must end with logits: cross-entropy applies a softmax itself.",
    old="nn.Linear(units, 10)]", new="nn.Linear(units, 10), nn.Softmax(dim=1)]",
)


@mistake(
    "build_model", killed_by=["38c.H1"],
    says="Your rows begin with all channels of the first pixel. Flatten channel by channel: (N, C, H, W) as it is.",
)
def channels_last(seed, filters=(32, 64), units=128, side=28):
    class Flat(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    left, layers, channels = side >> len(filters), [], 1
    if left < 1:
        raise ValueError("side")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for count in filters:
            layers += [nn.Conv2d(channels, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = count
        return nn.Sequential(*layers, Flat(), nn.Linear(channels * left**2, units), nn.ReLU(), nn.Linear(units, 10))


@mistake(
    "build_model", killed_by=["38c.H3"],
    says="Your network numbers the places: what a filter finds depends on where it looks. The same weights look everywhere.",
)
def knows_the_place(seed, filters=(32, 64), units=128, side=28):
    class Numbered(nn.Module):
        def forward(self, x):
            return x + torch.linspace(0, 1, x.shape[-1])

    left, layers, channels = side >> len(filters), [Numbered()], 1
    if left < 1:
        raise ValueError("side")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for count in filters:
            layers += [nn.Conv2d(channels, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = count
        layers += [nn.Flatten(), nn.Linear(channels * left**2, units), nn.ReLU(), nn.Linear(units, 10)]
        return nn.Sequential(*layers)


edit(
    "unseeded", "build_model", killed_by=["38c.H4"],
    says="The weights do not depend on the seed: seed torch's generator before the layers are made.",
    old="torch.manual_seed(seed)", new="torch.manual_seed(0)",
)
edit(
    "seeds_the_world", "build_model", killed_by=["38c.H4"],
    says="torch.manual_seed moved the generator of everybody else in the process. Put it back: with torch.random.fork_rng().",
    old="with torch.random.fork_rng(devices=[]):  # the global generator is put back at the end", new="if True:",
)
edit(
    "nothing_is_left", "build_model", killed_by=["38c.H5"],
    says="A side that the poolings use up leaves a dense layer without inputs: refuse it with a ValueError that says side.",
    old="if left < 1:", new="if False:",
)

# What it costs

edit(
    "no_biases_counted", "cost", killed_by=["38c.H6"],
    says="The parameters of a convolution are its weights and one bias for each filter.",
    old="weights + count", new="weights",
)
edit(
    "each_weight_once", "cost", killed_by=["38c.H6"],
    says="A convolution uses each of its weights at every position of the image, not once.",
    old="weights * side**2})", new="weights})",
)
edit(
    "depth_forgotten", "cost", killed_by=["38c.H6"],
    says="A filter is as deep as what comes in: 3 x 3 times the channels.",
    old="count * channels * 9", new="count * 9",
)
edit(
    "after_the_pooling", "cost", killed_by=["38c.H6"],
    says="The convolution works on the image before the pooling, which has four times as many positions.",
    old="weights * side**2})", new="weights * (side // 2) ** 2})",
)
edit(
    "never_smaller", "cost", killed_by=["38c.H6"],
    says="Each pooling halves the side, rounded down, for everything after it.",
    old="channels, side = count, side // 2", new="channels = count",
)

# Moved images

edit(
    "comes_back_on_the_other_side", "shifted", killed_by=["38c.H7"],
    says="What leaves the image on one side comes back on the other. It is lost, and paper comes in.",
    old="wide[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]",
    new="images[torch.arange(n)[:, None, None], :, (rows - most)[:, :, None] % height, (columns - most)[:, None, :] % width]",
)
edit(
    "zeros_come_in", "shifted", killed_by=["38c.H7", "38c.H10"],
    says="0 is grey: after normalising, paper is -0.4242. Fill with PAPER.",
    old="value=PAPER", new="value=0.0",
)
edit(
    "the_wrong_way", "shifted", killed_by=["38c.H7"],
    says="Positive numbers go down and to the right; yours go up and to the left.",
    old="""most - down[:, None]  # (N, H): where each row comes from
    columns = torch.arange(width) + most - right""",
    new="""most + down[:, None]  # (N, H): where each row comes from
    columns = torch.arange(width) + most + right""",
)
edit(
    "rows_for_columns", "shifted", killed_by=["38c.H7"],
    says="down moves along the rows, the axis before the last, and right along the last one; yours are exchanged.",
    old="""most - down[:, None]  # (N, H): where each row comes from
    columns = torch.arange(width) + most - right""",
    new="""most - right[:, None]  # (N, H): where each row comes from
    columns = torch.arange(width) + most - down""",
)
edit(
    "as_the_first", "shifted", killed_by=["38c.H7", "38c.H10"],
    says="All images move as the first one does. Each has its own numbers.",
    old="rows = torch.arange(height) + most - down[:, None]  # (N, H): where each row comes from\n    columns = torch.arange(width) + most - right[:, None]",
    new="rows = (torch.arange(height) + most - down[0]).expand(n, -1)\n    columns = (torch.arange(width) + most - right[0]).expand(n, -1)",
)
edit(
    "any_number_of_moves", "shifted", killed_by=["38c.H8"],
    says="There must be one move for each image; refuse others with a ValueError that says down or right.",
    old="if moves.shape != (n,):", new="if False:",
)

# Training and reading

edit(
    "no_zero_grad", "train_epoch", killed_by=["38c.H9"],
    says="Gradients add up from step to step. Call optimizer.zero_grad() before every backward.",
    old="optimizer.zero_grad()", new="pass",
)
edit(
    "mean_of_batch_means", "train_epoch", killed_by=["38c.H9"],
    says="You average the means of the batches. The last batch is smaller: weight each by its size.",
    old="""total += loss.item() * len(rows)
    return total / len(X)""",
    new="""total += loss.item()
    return total / -(-len(X) // batch_size)""",
)
edit(
    "done_after_one_batch", "train_epoch", killed_by=["38c.H9", "38c.H17"],
    says="The epoch ends with its first batch: the return stands inside the loop.",
    old="""total += loss.item() * len(rows)
    return total / len(X)""",
    new="""total += loss.item() * len(rows)
        return total / len(X)""",
)
edit(
    "never_train_mode", "train_epoch", killed_by=["38c.H9"],
    says="Call model.train() at the start of an epoch: reading has switched the model to evaluation mode.",
    old="model.train()", new="pass",
)
edit(
    "labels_in_their_own_order", "train_epoch", killed_by=["38c.H9"],
    says="The images are shuffled and the labels are not. Take both with the same indices.",
    old="model(images), y[rows])", new="model(images), y[rows.sort().values])",
)
edit(
    "one_order_for_all_epochs", "train_epoch", killed_by=["38c.H9"],
    says="Every epoch goes through the samples in the same order: pass the epoch on to batches.",
    old="batches(len(X), batch_size, seed, epoch)", new="batches(len(X), batch_size, seed, 0)",
)
edit(
    "nothing_moves", "train_epoch", killed_by=["38c.H10"],
    says="The images are not moved although shift is more than 0.",
    old="if shift:", new="if False:",
)
edit(
    "down_and_right_only", "train_epoch", killed_by=["38c.H10"],
    says="Images move from -shift to shift, both included: up and left too, and as far as shift.",
    old="rng.integers(-shift, shift, (2, len(rows)), endpoint=True)", new="rng.integers(0, shift, (2, len(rows)), endpoint=True)",
)
edit(
    "one_pixel_short", "train_epoch", killed_by=["38c.H10"],
    says="The end of rng.integers does not belong to it: no image moves by the whole shift down or right.",
    old="rng.integers(-shift, shift, (2, len(rows)), endpoint=True)", new="rng.integers(-shift, shift, (2, len(rows)))",
)
edit(
    "rounded_moves", "train_epoch", killed_by=["38c.H10"],
    says="Uniform numbers that are rounded hit -shift and shift half as often as the numbers between. Draw whole numbers: rng.integers.",
    old="rng.integers(-shift, shift, (2, len(rows)), endpoint=True)", new="rng.uniform(-shift, shift, (2, len(rows))).round().astype(np.int64)",
)
edit(
    "along_the_diagonal", "train_epoch", killed_by=["38c.H10"],
    says="Every image moves down as far as to the right. Draw a number for each direction.",
    old="(2, len(rows)), endpoint=True)", new="(1, len(rows)), endpoint=True).repeat(2, axis=0)",
)
edit(
    "all_of_a_batch_alike", "train_epoch", killed_by=["38c.H10"],
    says="All images of a batch move alike. Draw numbers for each image.",
    old="(2, len(rows)), endpoint=True)", new="(2, 1), endpoint=True).repeat(len(rows), axis=1)",
)
edit(
    "the_same_moves_every_epoch", "train_epoch", killed_by=["38c.H11"],
    says="The images move alike in every epoch, so nothing new is seen. Let the epoch count too.",
    old="default_rng([seed, epoch, 1])", new="default_rng([seed, 1])",
)
edit(
    "moves_from_the_global_generator", "train_epoch", killed_by=["38c.H11"],
    says="The moves are drawn from a global generator: no training can be repeated, and everybody else gets other numbers.",
    old="rng.integers(-shift, shift, (2, len(rows)), endpoint=True)", new="np.random.randint(-shift, shift + 1, (2, len(rows)))",
)
edit(
    "no_eval_mode", "predict", killed_by=["38c.H12"],
    says="Dropout is still on while you read. Switch it off with model.eval().",
    old="model.eval()", new="pass",
)
edit(
    "stays_in_eval_mode", "predict", killed_by=["38c.H12"],
    says="After predict the model stays in evaluation mode. Put back the mode it was in.",
    old="model.train(was_training)", new="pass",
)
edit(
    "only_whole_batches", "predict", killed_by=["38c.H12"],
    says="The last samples, which do not fill a batch, are not read.",
    old="for part in X.split(batch_size)]", new="for part in X.split(batch_size) if len(part) == min(batch_size, len(X))]",
)
edit(
    "shares_for_logits", "predict", killed_by=["38c.H12"],
    says="predict returns probabilities; the logits were asked for.",
    old="return logits.numpy()", new="return logits.softmax(1).numpy()",
)
edit(
    "a_tensor", "predict", killed_by=["38c.H12"],
    says="predict returns a tensor; make it a numpy array.",
    old="return logits.numpy()", new="return logits",
)
edit(
    "before_the_pooling", "feature_maps", killed_by=["38c.H2"],
    says="You show what comes out of the ReLUs, before the pooling. The output of each pooling was asked for.",
    old="isinstance(layer, nn.MaxPool2d)", new="isinstance(layer, nn.ReLU) and images.dim() == 4",
)
edit(
    "only_the_last_maps", "feature_maps", killed_by=["38c.H2"],
    says="Only the last pooling is shown; each of them was asked for.",
    old="    return maps", new="    return maps[-1:]",
)

# All together

edit(
    "sgd_instead_of_adam", "run", killed_by=["38c.H13"],
    says="These are steps of plain gradient descent; with a rate of 0.001 it hardly moves. Use Adam.",
    old="torch.optim.Adam(", new="torch.optim.SGD(",
)
edit(
    "optimizer_anew", "run", killed_by=["38c.H13"],
    says="A fresh Adam in every epoch forgets its moments. Make it once.",
    old="for epoch in range(epochs):", new="for epoch in range(epochs):\n        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)",
)
edit(
    "moves_not_passed_on", "run", killed_by=["38c.H13"],
    says="shift does not reach train_epoch: the images stay where they are.",
    old="seed, epoch, shift)", new="seed, epoch)",
)
edit(
    "always_the_first_seed", "run", killed_by=["38c.H13"],
    says="The network does not depend on run's seed. Pass it on to build_model.",
    old="build_model(seed, side", new="build_model(0, side",
)
edit(
    "trains_on_validation", "run", killed_by=["38c.H14"],
    says="The images that were to be held out are trained on too, so their accuracy says nothing.",
    old="train_epoch(model, X[:n], y[:n],", new="train_epoch(model, X, y,",
)
edit(
    "accuracy_of_training_set", "run", killed_by=["38c.H14"],
    says="The validation accuracy is measured on the images that were trained on. Measure on those held out.",
    old="predict(model, X[n:]).argmax(1) == labels[n:]", new="predict(model, X[:n]).argmax(1) == labels[:n]",
)
edit(
    "share_of_all_images", "run", killed_by=["38c.H14"],
    says="You divide the number of held out images that are read by the number of all images. Divide by those held out.",
    old="(predict(model, X[n:]).argmax(1) == labels[n:]).mean()", new="(predict(model, X[n:]).argmax(1) == labels[n:]).sum() / len(X)",
)
edit(
    "cuts_to_fit", "run", killed_by=["38c.H15"],
    says="Where labels or images are missing you train on what is there, probably with the wrong labels. Refuse files that do not fit together.",
    old="""    if len(images) != len(labels):
        raise ValueError(f"train_labels: there are {len(labels)} for {len(images)} images")
""",
    new="""    images, labels = images[: len(labels)], labels[: len(images)]
""",
)
edit(
    "silent_without_validation", "run", killed_by=["38c.H16"],
    says="Without validation nothing is printed. One line an epoch was asked for, with the accuracy where there is one.",
    old="        print(line, flush=True)", new="        if validation:\n            print(line, flush=True)",
    not_nameable="what is printed is no answer",
)
edit(
    "a_percentage_is_printed", "run", killed_by=["38c.H16"],
    says="The line of an epoch does not look as it was asked for: loss and accuracy with four digits behind the point, and no percent.",
    old="{row['validation_accuracy']:.4f}", new="{row['validation_accuracy']:.2%}",
    not_nameable="what is printed is no answer",
)
