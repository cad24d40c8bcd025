"""Section 18: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# gd_step

edit(
    "ascent",
    "gd_step",
    says="The gradient points uphill. Go against it: subtract.",
    killed_by=["18.H1"],
    old="p - lr * g",
    new="p + lr * g",
)

edit(
    "step_without_lr",
    "gd_step",
    says="The step is the gradient times the learning rate; you took the gradient alone.",
    killed_by=["18.H1"],
    old="p - lr * g",
    new="p - g",
)


@mistake(
    "gd_step",
    says="You step by lr in the direction of the gradient, whatever its size. The plain rule multiplies lr by the gradient itself.",
    killed_by=["18.H1"],
)
def step_of_fixed_length(params, grads, lr):
    _check_lr(lr)
    return [p - lr * g / (np.linalg.norm(g) + 1e-12) for p, g in zip(params, grads)]


@mistake(
    "gd_step",
    says="`p -= ...` changes the caller's array. Compute a new array for each parameter.",
    killed_by=["18.H7"],
)
def step_in_place(params, grads, lr):
    _check_lr(lr)
    out = []
    for p, g in zip(params, grads):
        p -= lr * g
        out.append(p)
    return out


edit(
    "step_accepts_any_lr",
    "gd_step",
    says="gd_step has to raise ValueError, naming lr, when lr is 0 or less.",
    killed_by=["18.H8"],
    old="_check_lr(lr)",
    new="pass",
)

edit(
    "step_always_float64",
    "gd_step",
    says="float32 parameters stay float32: a learning rate that is a NumPy number or a float64 array turns them into float64.",
    killed_by=["18.H9"],
    old="lr * g",
    new="np.float64(lr) * g",
)

# descend

edit(
    "descend_uphill",
    "descend",
    says="The gradient points uphill. Go against it: subtract.",
    killed_by=["18.H1"],
    old="path[-1] - lr",
    new="path[-1] + lr",
)


@mistake(
    "descend",
    says="All rows of your path are the same array, changed again and again. Store a copy of w for each step.",
    killed_by=["18.H7"],
)
def in_place_path(grad, w0, lr, steps):
    _check_lr(lr)
    if steps < 0:
        raise ValueError("steps")
    w = w0.astype(w0.dtype if w0.dtype == np.float32 else np.float64)
    path = [w]
    for _ in range(steps):
        w -= lr * grad(w)
        path.append(w)
    return np.stack(path)


@mistake(
    "descend",
    says="w = w0 gives the same array a second name, and `w -= ...` then moves the caller's start. Begin with a copy, or write w = w - ...",
    killed_by=["18.H7"],
)
def start_moved(grad, w0, lr, steps):
    _check_lr(lr)
    if steps < 0:
        raise ValueError("steps")
    w = w0 if w0.dtype.kind == "f" else w0.astype(np.float64)
    path = [w.copy()]
    for _ in range(steps):
        w -= lr * grad(w)
        path.append(w.copy())
    return np.stack(path)


edit(
    "stale_gradient",
    "descend",
    says="You ask for the gradient at the start in every step. The slope changes on the way: ask where you are now.",
    killed_by=["18.H1"],
    old="grad(path[-1])",
    new="grad(path[0])",
)


@mistake(
    "descend",
    says="The path begins with the start itself: steps + 1 rows, of which row 0 is w0.",
    killed_by=["18.H1"],
)
def start_missing(grad, w0, lr, steps):
    _check_lr(lr)
    if steps < 0:
        raise ValueError("steps")
    w = w0 if w0.dtype == np.float32 else w0.astype(np.float64)
    path = np.empty((steps, len(w0)), w.dtype)
    for k in range(steps):
        w = path[k] = w - lr * grad(w)
    return path


edit(
    "one_step_short",
    "descend",
    says="`steps` counts steps, not points: the path has steps + 1 rows.",
    killed_by=["18.H1"],
    old="range(steps)",
    new="range(steps - 1)",
)


@mistake(
    "descend",
    says="Your path takes the dtype of w0, and integers cut every step down to a whole number. Integers have to give float64.",
    killed_by=["18.H9"],
)
def path_of_whole_numbers(grad, w0, lr, steps):
    _check_lr(lr)
    if steps < 0:
        raise ValueError("steps")
    path = np.empty((steps + 1, len(w0)), w0.dtype)
    path[0] = w0
    for k in range(steps):
        path[k + 1] = path[k] - lr * grad(path[k])
    return path


@mistake(
    "descend",
    says="np.zeros makes float64. A float32 start gives a float32 path.",
    killed_by=["18.H9"],
)
def path_always_float64(grad, w0, lr, steps):
    _check_lr(lr)
    if steps < 0:
        raise ValueError("steps")
    path = np.zeros((steps + 1, len(w0)))
    path[0] = w0
    for k in range(steps):
        path[k + 1] = path[k] - lr * grad(path[k])
    return path


edit(
    "descend_accepts_any_lr",
    "descend",
    says="descend has to raise ValueError, naming lr, when lr is 0 or less.",
    killed_by=["18.H8"],
    old="_check_lr(lr)",
    new="pass",
)

edit(
    "descend_accepts_negative_steps",
    "descend",
    says="range(-1) is simply empty, so nothing complains about negative steps. Raise ValueError, naming steps.",
    killed_by=["18.H8"],
    old="steps < 0",
    new="False",
)

# linreg_grad

edit(
    "residual_sign",
    "linreg_grad",
    says="The residual is prediction minus target. With the sign turned round the gradient points downhill, and descent climbs.",
    killed_by=["18.H2"],
    old="X @ w + b - y",
    new="y - (X @ w + b)",
)


@mistake(
    "linreg_grad",
    says="The derivative of the square brings a factor 2, in dw and in db.",
    killed_by=["18.H2"],
)
def no_factor_two(X, y, w, b):
    residual = X @ w + b - y
    return X.T @ residual * (1 / len(y)), float(residual.mean())


@mistake(
    "linreg_grad",
    says="The loss is a mean over the samples, so its gradient is one too: divide by N.",
    killed_by=["18.H2", "18.H6"],
)
def sum_not_mean(X, y, w, b):
    residual = X @ w + b - y
    return 2.0 * (X.T @ residual), float(2 * residual.sum())


edit(
    "divides_by_features",
    "linreg_grad",
    says="Divide by the number of samples N, not by the number of features D.",
    killed_by=["18.H2"],
    old="len(y)",
    new="X.shape[1]",
)

edit(
    "bias_gradient_summed",
    "linreg_grad",
    says="dw is a mean over the samples, but your db is a sum.",
    killed_by=["18.H2"],
    old="residual.mean()",
    new="residual.sum()",
)

edit(
    "bias_forgotten_in_the_residual",
    "linreg_grad",
    says="The prediction is X w + b: the bias belongs into the residual.",
    killed_by=["18.H2"],
    old="X @ w + b - y",
    new="X @ w - y",
)

edit(
    "columns_of_residuals",
    "linreg_grad",
    says="(N, 1) minus (N,) is an (N, N) table of all differences. Keep y and the prediction one-dimensional.",
    killed_by=["18.H2"],
    old="residual = X @ w + b - y",
    new="residual = ((X @ w + b)[:, None] - y).mean(axis=0)",
)

edit(
    "gradient_always_float64",
    "linreg_grad",
    says="float32 in, float32 out: your dw is float64.",
    killed_by=["18.H9"],
    old="X @ w + b - y",
    new="X.astype(np.float64) @ w + b - y",
)

# train_linear: order and batches

edit(
    "no_shuffle",
    "train_linear",
    says="You visit the samples in the order of the rows. Put them into a new random order in each epoch.",
    killed_by=["18.H4"],
    old="rng.permutation(n)",
    new="np.arange(n)",
)


edit(
    "same_shuffle",
    "train_linear",
    says="All your epochs share one order. Make the generator once, before the loop, and draw a new order from it in each epoch.",
    killed_by=["18.H4"],
    old="        order = rng.permutation(n)",
    new="        order = rng.permutation(n) if not losses else order",
)

edit(
    "seed_ignored",
    "train_linear",
    says="Your order does not depend on the argument `seed`: another seed has to give another order.",
    killed_by=["18.H4"],
    old="default_rng(seed)",
    new="default_rng(0)",
)

edit(
    "unseeded",
    "train_linear",
    says="The same seed has to give the same result: hand it to your generator.",
    killed_by=["18.H4"],
    old="default_rng(seed)",
    new="default_rng()",
    not_nameable="its numbers are new in every run, so no replay gives them again",
)

edit(
    "global_seed",
    "train_linear",
    says="np.random.seed changes random numbers for the whole program. Use a generator of your own: np.random.default_rng(seed).",
    killed_by=["18.H4"],
    old="rng = np.random.default_rng(seed)",
    new="rng = np.random\n    np.random.seed(seed % 2**32)",
)

edit(
    "shuffles_batches_not_samples",
    "train_linear",
    says="You cut the batches first and shuffled only their order, so the same samples always meet. Shuffle the samples, then cut.",
    killed_by=["18.H4", "18.H6"],
    old="order = rng.permutation(n)",
    new="order = np.concatenate([np.arange(k, min(k + size, n)) for k in size * rng.permutation(n // size)] + [np.arange(n - n % size, n)])",
)

edit(
    "sgd_with_replacement",
    "train_linear",
    says="Drawing each batch from all samples uses some twice and some never. One epoch visits every sample exactly once.",
    killed_by=["18.H3"],
    old="rng.permutation(n)",
    new="rng.integers(0, n, n)",
)

edit(
    "drops_remainder",
    "train_linear",
    says="When N is no multiple of the batch size, the samples left over form a last, smaller batch. Use it.",
    killed_by=["18.H3"],
    old="range(0, n, size)",
    new="range(0, n - size + 1, size)",
)

edit(
    "fills_the_last_batch",
    "train_linear",
    says="You fill the last batch up with samples that were used already. Let it be smaller.",
    killed_by=["18.H3"],
    old="order[start : start + size]",
    new="order[min(start, n - size) : start + size]",
)

edit(
    "one_update_per_epoch",
    "train_linear",
    says="You make one update in an epoch. An epoch goes through all samples: ceil(N / batch_size) updates.",
    killed_by=["18.H3"],
    old="range(0, n, size)",
    new="range(1)",
)

edit(
    "none_means_one",
    "train_linear",
    says="batch_size None means all samples in one batch, not one sample.",
    killed_by=["18.H3"],
    old="n if batch_size is None",
    new="1 if batch_size is None",
)

edit(
    "x_and_y_shuffled_apart",
    "train_linear",
    says="X and y have to be shuffled with the same order, or every input gets another sample's target.",
    killed_by=["18.H3", "18.H5"],
    old="y[batch]",
    new="y[rng.permutation(n)][batch]",
)

edit(
    "shuffles_in_place",
    "train_linear",
    says="You reorder the caller's X and y in place. Shuffle indices, and take X[indices].",
    killed_by=["18.H7"],
    old="        order = rng.permutation(n)",
    new="        order = rng.permutation(n)\n        X[:], y[:] = X[order], y[order]\n        order = np.arange(n)",
)

# train_linear: the update

edit(
    "divides_by_N",
    "train_linear",
    says="The gradient of a mini-batch is the mean over that batch. You divide its sum by the number of all samples.",
    killed_by=["18.H3", "18.H5"],
    old="[dw, db], lr)",
    new="[dw, db], lr * len(batch) / n)",
)

edit(
    "divides_by_batch_size",
    "train_linear",
    says="The last batch of an epoch may be smaller: divide by the samples it has, not by batch_size.",
    killed_by=["18.H3"],
    old="[dw, db], lr)",
    new="[dw, db], lr * len(batch) / size)",
)

edit(
    "sum_over_the_batch",
    "train_linear",
    says="A batch's gradient is the mean over its samples, not their sum: else larger batches take larger steps.",
    killed_by=["18.H3"],
    old="[dw, db], lr)",
    new="[dw, db], lr * len(batch))",
)

edit(
    "bias_not_trained",
    "train_linear",
    says="The bias stays 0 in your training. It is a parameter like the weights: step it, too.",
    killed_by=["18.H3", "18.H5"],
    old="[dw, db], lr)",
    new="[dw, 0.0], lr)",
)

edit(
    "bias_after_weights",
    "train_linear",
    says="You compute the gradient of the bias with weights that have moved already. Take both gradients at the same point, then step.",
    killed_by=["18.H3"],
    old="            w, b = gd_step(",
    new="            db = linreg_grad(X[batch], y[batch], w - lr * dw, b)[1]\n            w, b = gd_step(",
)

edit(
    "gradient_from_the_start_of_the_epoch",
    "train_linear",
    says="All updates of an epoch use the gradient at its first point. After each update the gradient is taken where you are now.",
    killed_by=["18.H3"],
    old="linreg_grad(X[batch], y[batch], w, b)",
    new="linreg_grad(X[batch], y[batch], path[-1 - start // size][:-1], path[-1 - start // size][-1])",
)

edit(
    "random_start",
    "train_linear",
    says="Training starts from w = 0 and b = 0 here.",
    killed_by=["18.H3"],
    old="np.zeros(d)",
    new="rng.standard_normal(d)",
)

# train_linear: what it records

edit(
    "loss_before_update",
    "train_linear",
    says="losses[e] is the error after epoch e. You record it at the beginning of the epoch.",
    killed_by=["18.H4"],
    old="losses.append(np.mean((X @ w + b - y) ** 2))",
    new="losses.append(np.mean((X @ path[len(losses) * -(-n // size)][:-1] + path[len(losses) * -(-n // size)][-1] - y) ** 2))",
)

edit(
    "loss_of_the_last_batch",
    "train_linear",
    says="losses[e] is over all N samples, not over the last batch of the epoch.",
    killed_by=["18.H4"],
    old="np.mean((X @ w + b - y) ** 2)",
    new="np.mean((X[batch] @ w + b - y[batch]) ** 2)",
)

edit(
    "half_the_loss",
    "train_linear",
    says="The loss is the mean of the squares; you record half of it.",
    killed_by=["18.H4"],
    old="np.mean((X @ w + b - y) ** 2)",
    new="np.mean((X @ w + b - y) ** 2) / 2",
)

edit(
    "loss_summed",
    "train_linear",
    says="The loss is the mean of the squares over all samples; you recorded their sum.",
    killed_by=["18.H4"],
    old="np.mean((X @ w + b - y) ** 2)",
    new="np.sum((X @ w + b - y) ** 2)",
)

edit(
    "updates_are_epochs",
    "train_linear",
    says="`updates` counts steps of w and b, not epochs: each batch makes one.",
    killed_by=["18.H3"],
    old='"updates": len(path) - 1',
    new='"updates": epochs',
)

edit(
    "updates_count_the_start",
    "train_linear",
    says="The path has one row more than there were updates: its first row is the start.",
    killed_by=["18.H3"],
    old='"updates": len(path) - 1',
    new='"updates": len(path)',
)

edit(
    "path_once_per_epoch",
    "train_linear",
    says="The path has a row for each update, and the start; yours has one for each epoch.",
    killed_by=["18.H3"],
    old='"path": np.stack(path)',
    new='"path": np.stack(path[:: -(-n // size)])',
)

edit(
    "bias_first_in_the_path",
    "train_linear",
    says="A row of the path holds the weights first and the bias last.",
    killed_by=["18.H3"],
    old='"path": np.stack(path)',
    new='"path": np.roll(np.stack(path), 1, axis=1)',
)

edit(
    "path_rows_all_the_same",
    "train_linear",
    says="All rows of your path are the same array, changed by every update. Store a copy each time.",
    killed_by=["18.H7"],
    old='"path": np.stack(path)',
    new='"path": np.stack([path[-1]] * len(path))',
)

edit(
    "batch_size_unchecked",
    "train_linear",
    says="A batch_size of 0 or above N has to raise ValueError that names batch_size.",
    killed_by=["18.H8"],
    old="not 1 <= size <= n",
    new="False",
)

edit(
    "epochs_unchecked",
    "train_linear",
    says="range(-1) is simply empty, so nothing complains about negative epochs. Raise ValueError, naming epochs.",
    killed_by=["18.H8"],
    old="epochs < 0",
    new="False",
)
