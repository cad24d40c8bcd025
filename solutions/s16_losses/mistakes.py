"""Section 16: what people get wrong."""

import numpy as np
from nnkit.grader.mistakes import edit, mistake


def sigmoid(z):
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


# mse

edit(
    "mse_sum",
    "mse",
    says="You added the squared errors up. The mean divides by the number of elements.",
    killed_by=["16.H1"],
    old="np.mean(",
    new="np.sum(",
)
edit(
    "mse_per_sample",
    "mse",
    says="You divided by the number of rows. This course averages over all elements, as torch does.",
    killed_by=["16.H1"],
    old="np.mean((pred - y) ** 2)",
    new="np.sum((pred - y) ** 2) / (len(y) if y.ndim else 1)",
)
edit(
    "mse_half",
    "mse",
    says="There is no factor of one half in this definition. Some books put it there to get rid of the 2 in the gradient.",
    killed_by=["16.H1"],
    old="np.mean(",
    new="0.5 * np.mean(",
)
edit(
    "mse_root",
    "mse",
    says="You took the root of the mean: that is the RMSE. The mean squared error keeps the squares.",
    killed_by=["16.H1", "16.H5"],
    old="np.mean((pred - y) ** 2)",
    new="np.sqrt(np.mean((pred - y) ** 2))",
)
edit(
    "mse_square_of_mean",
    "mse",
    says="You squared the mean error. Errors of different sign cancel there: square first, then average.",
    killed_by=["16.H1"],
    old="np.mean((pred - y) ** 2)",
    new="np.mean(pred - y) ** 2",
)


@mistake(
    "mse",
    says="(N,) minus (N, 1) is an N by N table: silent broadcasting compares everyone with everyone. Refuse other shapes and name y.",
    killed_by=["16.H6"],
)
def broadcast_column(pred, y):
    if pred.size == 0:
        raise ValueError("pred is empty")
    return float(np.mean((pred.astype(np.float64) - y) ** 2))


@mistake(
    "mse",
    says="uint8 numbers cannot be negative: 3 - 5 wraps round to 254. Make floats of ints before you subtract.",
    killed_by=["16.H8"],
)
def mse_wraps_round(pred, y):
    _pair(pred, y, "pred")
    return float(np.mean((pred - y) ** 2))


@mistake(
    "mse",
    says="The mean of nothing is NaN, and it is found much later. Refuse an empty pred and name it.",
    killed_by=["16.H6"],
)
def mse_of_nothing(pred, y):
    if pred.shape != y.shape:
        raise ValueError("y has another shape")
    return float(np.mean((pred.astype(np.float64) - y) ** 2))


@mistake(
    "mse",
    says="`pred -= y` changes the caller's array: after the call it holds errors. Compute the difference as a new array.",
    killed_by=["16.H6"],
)
def mse_in_place(pred, y):
    _pair(pred, y, "pred")
    if pred.dtype.kind != "f" or pred.ndim == 0:
        pred = pred.astype(np.float64)
    pred -= y
    return float(np.mean(pred**2))


# mse_grad

edit(
    "mse_grad_no_2",
    "mse_grad",
    says="The derivative of a square brings down a 2.",
    killed_by=["16.H2"],
    old="2 * (pred - y)",
    new="(pred - y)",
)
edit(
    "mse_grad_sign",
    "mse_grad",
    says="You have the derivative with respect to y. With respect to the prediction it has the other sign: too large means positive.",
    killed_by=["16.H2", "16.H7"],
    old="2 * (pred - y)",
    new="2 * (y - pred)",
)
edit(
    "mse_grad_unscaled",
    "mse_grad",
    says="The mean's 1/n belongs to the gradient as well: divide by the number of elements.",
    killed_by=["16.H2"],
    old=" / pred.size",
    new="",
)
edit(
    "mse_grad_per_sample",
    "mse_grad",
    says="Your gradient is divided by the number of rows. The loss is a mean over all elements, so divide by all of them.",
    killed_by=["16.H2"],
    old="pred.size",
    new="(len(y) if y.ndim else 1)",
)


@mistake(
    "mse_grad",
    says="A result buffer made like an array of ints holds ints: it cuts the gradient down to whole numbers.",
    killed_by=["16.H8"],
)
def mse_grad_of_whole_numbers(pred, y):
    out = np.empty_like(pred)
    pred, y = _pair(pred, y, "pred")
    out[...] = 2 * (pred - y) / pred.size
    return out


@mistake(
    "mse_grad",
    says="float32 minus int64 is float64 in numpy. The gradient of a float32 prediction stays float32, whatever the targets are.",
    killed_by=["16.H8"],
)
def mse_grad_follows_the_targets(pred, y):
    _pair(pred, y, "pred")
    if pred.dtype.kind != "f":
        pred = pred.astype(np.float64)
    return 2 * (pred - y) / pred.size


@mistake(
    "mse_grad",
    says="numpy stretches (N,) and (N, 1) to an N by N table, and so your gradient has another shape than pred. Refuse that and name y.",
    killed_by=["16.H6"],
)
def mse_grad_broadcasts(pred, y):
    if pred.size == 0:
        raise ValueError("pred is empty")
    precision = np.float32 if pred.dtype == np.float32 else np.float64
    pred, y = pred.astype(precision), y.astype(precision)
    return 2 * (pred - y) / pred.size


# mae

edit(
    "mae_without_absolute",
    "mae",
    says="Without the absolute value errors of different sign cancel, and a bad prediction may cost nothing.",
    killed_by=["16.H1", "16.H5"],
    old="np.abs(pred - y)",
    new="pred - y",
)
edit(
    "mae_sum",
    "mae",
    says="You added the absolute errors up. The mean divides by the number of elements.",
    killed_by=["16.H1"],
    old="np.mean(",
    new="np.sum(",
)
edit(
    "mae_per_sample",
    "mae",
    says="You divided by the number of rows. This course averages over all elements, as torch does.",
    killed_by=["16.H1"],
    old="np.mean(np.abs(pred - y))",
    new="np.sum(np.abs(pred - y)) / (len(y) if y.ndim else 1)",
)
edit(
    "mae_median",
    "mae",
    says="You took the median of the absolute errors. The M of MAE is the mean; the median is where a constant prediction is best.",
    killed_by=["16.H1"],
    old="np.mean(",
    new="np.median(",
)
edit(
    "mae_is_mse",
    "mae",
    says="You squared the errors. The absolute error takes them as they are, without the sign.",
    killed_by=["16.H1", "16.H5"],
    old="np.abs(pred - y)",
    new="(pred - y) ** 2",
)

# mae_grad

edit(
    "mae_grad_unscaled",
    "mae_grad",
    says="These are the signs. The mean's 1/n belongs to the gradient as well.",
    killed_by=["16.H2"],
    old=" / pred.size",
    new="",
)
edit(
    "mae_grad_sign",
    "mae_grad",
    says="A prediction that is too large must get a positive gradient, so that a step against it makes it smaller.",
    killed_by=["16.H2", "16.H7"],
    old="np.sign(pred - y)",
    new="np.sign(y - pred)",
)
edit(
    "mae_grad_at_zero_one",
    "mae_grad",
    says="Where prediction and target are equal this course takes the derivative 0.",
    killed_by=["16.H2"],
    old="np.sign(pred - y)",
    new="np.where(pred >= y, 1, -1).astype(pred.dtype)",
)
edit(
    "mae_grad_zero_over_zero",
    "mae_grad",
    says="error / |error| is 0 / 0 where the prediction is exactly right, and that is NaN. numpy has a function for the sign.",
    killed_by=["16.H2"],
    old="np.sign(pred - y)",
    new="(pred - y) / np.abs(pred - y)",
)
edit(
    "mae_grad_in_proportion",
    "mae_grad",
    says="That is the gradient of the squared error, without its 2. The slope of |error| is 1 or -1, however large the error.",
    killed_by=["16.H2", "16.H7"],
    old="np.sign(pred - y)",
    new="(pred - y)",
)
edit(
    "mae_grad_always_float64",
    "mae_grad",
    says="An array made from Python's 1.0 and -1.0 is float64. The gradient of a float32 prediction stays float32.",
    killed_by=["16.H8"],
    old="np.sign(pred - y)",
    new="np.where(pred > y, 1.0, np.where(pred < y, -1.0, 0.0))",
)

# bce

edit(
    "bce_log_zero",
    "bce",
    says="log(0) is minus infinity, and 0 times that is NaN. Clip the probabilities to [eps, 1 - eps] first.",
    killed_by=["16.H3"],
    old="np.clip(p.astype(np.float64), eps, 1 - eps)",
    new="p.astype(np.float64)",
)
edit(
    "bce_clipped_below_only",
    "bce",
    says="You clip at eps but not at 1 - eps: a probability of 1 for a target of 0 still meets log(0).",
    killed_by=["16.H3"],
    old="eps, 1 - eps)",
    new="eps, None)",
)
edit(
    "bce_clipped_in_float32",
    "bce",
    says="In float32 1 - 1e-12 is rounded to 1, so the clipping does nothing there and log(0) comes out. Clip in float64.",
    killed_by=["16.H8"],
    old="np.clip(p.astype(np.float64), eps, 1 - eps)",
    new="np.clip(p, p.dtype.type(eps), p.dtype.type(1 - eps))",
)
edit(
    "bce_ignores_eps",
    "bce",
    says="You always clip at 1e-12. That is only the default: use the argument eps.",
    killed_by=["16.H3"],
    old="eps, 1 - eps)",
    new="1e-12, 1 - 1e-12)",
)


@mistake(
    "bce",
    says="You added eps inside the logarithms. This function moves p into [eps, 1 - eps] and leaves everything between as it is.",
    killed_by=["16.H3"],
)
def bce_eps_added(p, y, eps=1e-12):
    p, y = _pair(p, y, "p")
    _refuse_no_probability(y)
    p = p.astype(np.float64)
    return float(-np.mean(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps)))


@mistake(
    "bce",
    says="You used the logarithm to base 10. The cross-entropy takes the natural one, whose derivative is simply 1/p.",
    killed_by=["16.H1"],
)
def bce_log10(p, y, eps=1e-12):
    p, y = _pair(p, y, "p")
    _refuse_no_probability(y)
    p = np.clip(p.astype(np.float64), eps, 1 - eps)
    return float(-np.mean(y * np.log10(p) + (1 - y) * np.log10(1 - p)))


@mistake(
    "bce",
    says="You used the logarithm to base 2, which counts in bits. This course takes the natural one, as every framework does.",
    killed_by=["16.H1"],
)
def bce_log2(p, y, eps=1e-12):
    p, y = _pair(p, y, "p")
    _refuse_no_probability(y)
    p = np.clip(p.astype(np.float64), eps, 1 - eps)
    return float(-np.mean(y * np.log2(p) + (1 - y) * np.log2(1 - p)))


edit(
    "bce_positive_only",
    "bce",
    says="Targets of 0 cost nothing in your version. They cost too: -(1 - y) log(1 - p).",
    killed_by=["16.H1"],
    old=" + (1 - y) * np.log1p(-p)",
    new="",
)
edit(
    "bce_without_minus",
    "bce",
    says="Logarithms of probabilities are negative. The minus in front makes the loss positive, and smaller when the prediction is better.",
    killed_by=["16.H1", "16.H3"],
    old="float(-np.mean(",
    new="float(np.mean(",
)
edit(
    "bce_sum",
    "bce",
    says="You added the losses up. Divide by the number of elements.",
    killed_by=["16.H1"],
    old="-np.mean(",
    new="-np.sum(",
)
edit(
    "bce_arguments_swapped",
    "bce",
    says="The logarithm belongs to the prediction, not to the target: you have p and y the wrong way round.",
    killed_by=["16.H1"],
    old="y * np.log(p) + (1 - y) * np.log1p(-p)",
    new="p * np.log(np.clip(y, eps, 1 - eps)) + (1 - p) * np.log1p(-np.clip(y, eps, 1 - eps))",
)
edit(
    "bce_by_the_likelier_side",
    "bce",
    says="A target between 0 and 1 counts for both terms, with the weights y and 1 - y. You used one term only.",
    killed_by=["16.H1"],
    old="y * np.log(p) + (1 - y) * np.log1p(-p)",
    new="np.where(y >= 0.5, np.log(p), np.log1p(-p))",
)
edit(
    "bce_any_target",
    "bce",
    says="A binary target of 2 or -1 has no meaning, and the loss could become negative. Refuse it and name y.",
    killed_by=["16.H6"],
    old="    _refuse_no_probability(y)\n",
    new="",
)

# bce_logits

@mistake(
    "bce_logits",
    says="Clipping the probability flattens the loss at 27.6 and kills its gradient. Compute from the logit: at -800 the loss is 800.",
    killed_by=["16.H3"],
)
def bce_logits_via_clip(z, y):
    z, y = _pair(z, y, "z")
    return bce(sigmoid(z), y)


edit(
    "bce_logits_overflow",
    "bce_logits",
    says="exp(800) overflows. Take the larger part of log(1 + exp(z)) out, so that no exponent is positive.",
    killed_by=["16.H3"],
    old="np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))",
    new="np.log1p(np.exp(z)) - z * y",
)
@mistake(
    "bce_logits",
    says="sigmoid(-800) is rounded to 0, and its logarithm is minus infinity. Do not go through the probability at all.",
    killed_by=["16.H3"],
)
def bce_logits_log_of_sigmoid(z, y):
    z, y = _pair(z, y, "z")
    _refuse_no_probability(y)
    return float(-np.mean(y * np.log(sigmoid(z)) + (1 - y) * np.log(sigmoid(-z))))


edit(
    "bce_logits_as_probabilities",
    "bce_logits",
    says="You treated the logits as probabilities. They still have to pass the sigmoid.",
    killed_by=["16.H1", "16.H3"],
    old="np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))",
    new="bce(z, y)",
)
edit(
    "bce_logits_target_turned_round",
    "bce_logits",
    says="A target of 1 must be cheap for a large positive logit. Yours is dear there: the roles of 0 and 1 are exchanged.",
    killed_by=["16.H1", "16.H3", "16.H5"],
    old="np.maximum(z, 0) - z * y",
    new="np.maximum(-z, 0) + z * y",
)
edit(
    "bce_logits_without_target",
    "bce_logits",
    says="Your loss does not depend on y as it should: the term - z * y is missing, so every target counts as 0.",
    killed_by=["16.H1", "16.H3", "16.H5"],
    old="np.maximum(z, 0) - z * y",
    new="np.maximum(z, 0)",
)
edit(
    "bce_logits_without_small_part",
    "bce_logits",
    says="max(z, 0) - z * y is only the large part of the loss. The correction log(1 + exp(-|z|)) is missing, 0.69 at z = 0.",
    killed_by=["16.H1", "16.H5"],
    old=" + np.log1p(np.exp(-np.abs(z)))",
    new="",
)
edit(
    "bce_logits_sum",
    "bce_logits",
    says="You added the losses up. Divide by the number of elements.",
    killed_by=["16.H1"],
    old="np.mean(",
    new="np.sum(",
)
edit(
    "bce_logits_any_target",
    "bce_logits",
    says="bce_logits has to refuse targets outside 0 to 1 just as bce does, and name y.",
    killed_by=["16.H6"],
    old="    _refuse_no_probability(y)\n",
    new="",
)

# bce_logits_grad

edit(
    "bce_grad_unscaled",
    "bce_logits_grad",
    says="sigmoid(z) - y is the gradient for one element. The mean's 1/n is missing.",
    killed_by=["16.H2"],
    old=" / z.size",
    new="",
)
edit(
    "bce_grad_sign",
    "bce_logits_grad",
    says="The gradient is prediction minus target: a probability that is too large must be pushed down.",
    killed_by=["16.H2", "16.H3", "16.H7"],
    old="(p - y)",
    new="(y - p)",
)
edit(
    "bce_grad_extra_slope",
    "bce_logits_grad",
    says="You multiplied by the sigmoid's slope. In this gradient it has cancelled against the logarithm: p - y is all.",
    killed_by=["16.H2", "16.H3"],
    old="(p - y)",
    new="(p - y) * p * (1 - p)",
)
edit(
    "bce_grad_for_p",
    "bce_logits_grad",
    says="That is the derivative with respect to the probability. Asked for is the one with respect to the logit: multiply by the slope of the sigmoid.",
    killed_by=["16.H2", "16.H3"],
    old="(p - y)",
    new="(p - y) / (p * (1 - p))",
)
edit(
    "bce_grad_without_sigmoid",
    "bce_logits_grad",
    says="You subtracted the target from the logit. It belongs to the probability: sigmoid(z) - y.",
    killed_by=["16.H2", "16.H3"],
    old="(p - y)",
    new="(z - y)",
)
edit(
    "bce_grad_overflow",
    "bce_logits_grad",
    says="The sigmoid in your gradient computes exp(800). Use the form of section 12 that never sees a positive exponent.",
    killed_by=["16.H3"],
    old="np.where(z >= 0, 1, small) / (1 + small)",
    new="1 / (1 + np.exp(-z))",
)


@mistake(
    "bce_logits_grad",
    says="float32 minus int64 is float64 in numpy. The gradient of float32 logits stays float32, whatever the targets are.",
    killed_by=["16.H8"],
)
def bce_grad_follows_the_targets(z, y):
    given = y
    z, y = _pair(z, y, "z")
    _refuse_no_probability(y)
    return (sigmoid(z) - given) / z.size


edit(
    "bce_grad_any_target",
    "bce_logits_grad",
    says="The gradient has to refuse targets outside 0 to 1 just as the loss does, and name y.",
    killed_by=["16.H6"],
    old="    _refuse_no_probability(y)\n",
    new="",
)

# cce

edit(
    "cce_sum",
    "cce",
    says="You added the losses of the samples up. Divide by their number N.",
    killed_by=["16.H1"],
    old=" / len(logits)",
    new="",
)
edit(
    "cce_mean_of_everything",
    "cce",
    says="You divided by N times C. Each sample has one loss, a sum over classes: divide by the number of samples.",
    killed_by=["16.H1"],
    old="len(logits)",
    new="logits.size",
)
edit(
    "cce_double_softmax",
    "cce",
    says="You applied softmax twice. The function takes logits and contains the softmax; do not squash twice.",
    killed_by=["16.H1"],
    old="_log_softmax(logits)",
    new="_log_softmax(np.exp(_log_softmax(logits)))",
)
edit(
    "cce_of_probabilities",
    "cce",
    says="You took the logarithm of the logits themselves, as if they were probabilities. The softmax is part of this function.",
    killed_by=["16.H1"],
    old="_log_softmax(logits)",
    new="np.log(np.clip(logits, 1e-12, 1))",
)
edit(
    "cce_eps_in_log",
    "cce",
    says="log(p + 1e-9) caps the loss at 20.7 and flattens it there. Use log-softmax, which needs no epsilon.",
    killed_by=["16.H3"],
    old="_log_softmax(logits)",
    new="np.log(np.exp(_log_softmax(logits)) + 1e-9)",
)
edit(
    "cce_log_of_softmax",
    "cce",
    says="A probability below 1e-323 is rounded to 0, and its logarithm is minus infinity. Use log-softmax, which never forms the probability.",
    killed_by=["16.H3"],
    old="_log_softmax(logits)",
    new="np.log(np.exp(_log_softmax(logits)))",
)
edit(
    "cce_overflow",
    "cce",
    says="exp of a score of 1000 overflows. Subtract the largest score of each row first; the loss stays the same.",
    killed_by=["16.H3"],
    old="_log_softmax(logits)",
    new="(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))",
)
edit(
    "cce_one_maximum_for_all",
    "cce",
    says="You subtracted the largest score of the whole batch. A row that lies 1000 below it then sums up exponentials that are all 0. Each row needs its own maximum.",
    killed_by=["16.H3"],
    old="_log_softmax(logits)",
    new="(logits - logits.max() - np.log(np.exp(logits - logits.max()).sum(axis=1, keepdims=True)))",
)
edit(
    "cce_over_samples",
    "cce",
    says="Your softmax runs down the columns, over the samples. It must make each row, one sample's scores, sum to 1.",
    killed_by=["16.H1"],
    old="_log_softmax(logits)",
    new="_log_softmax(logits.T).T",
)
edit(
    "cce_log10",
    "cce",
    says="You used the logarithm to base 10. The cross-entropy takes the natural one.",
    killed_by=["16.H1", "16.H3"],
    old="_log_softmax(logits)",
    new="_log_softmax(logits) / np.log(10)",
)
edit(
    "cce_all_classes",
    "cce",
    says="You also charged log(1 - p) for the wrong classes, as in the binary loss. Here only the log-probability of the label counts.",
    killed_by=["16.H1"],
    old="targets * _log_softmax(logits)",
    new="targets * _log_softmax(logits) + (1 - targets) * np.log1p(-np.exp(_log_softmax(logits)))",
)


@mistake(
    "cce",
    says="You reduced each row of targets to its largest entry. A soft row spreads its 1 over several classes, and all of them count.",
    killed_by=["16.H4"],
)
def cce_hardens_targets(logits, y):
    logits, targets = _scores_and_targets(logits, y)
    return float(-_log_softmax(logits)[np.arange(len(logits)), targets.argmax(axis=1)].mean())


@mistake(
    "cce",
    says="In numpy an index of -1 means the last class, so a negative label passes unnoticed. Check the labels and name y.",
    killed_by=["16.H6"],
)
def cce_negative_labels(logits, y):
    if y.ndim == 1:
        n, classes = logits.shape
        if len(y) != n or np.any(y >= classes):
            raise ValueError("y does not fit")
        y = np.eye(classes)[y]
    logits, targets = _pair(logits, y, "logits")
    return float(-np.sum(targets * _log_softmax(logits)) / len(logits))


@mistake(
    "cce",
    says="A label that is too large ends as numpy's IndexError. Check the labels first and raise a ValueError that names y.",
    killed_by=["16.H6"],
)
def cce_index_error(logits, y):
    if y.ndim == 1:
        n, classes = logits.shape
        if len(y) != n or np.any(y < 0):
            raise ValueError("y does not fit")
        y = np.eye(classes)[y]
    logits, targets = _pair(logits, y, "logits")
    return float(-np.sum(targets * _log_softmax(logits)) / len(logits))


@mistake(
    "cce",
    says="A label that no class has becomes a row of zeros in your one-hot table and costs nothing. Check the labels and name y.",
    killed_by=["16.H6"],
)
def cce_ignores_strange_labels(logits, y):
    if y.ndim == 1:
        if len(y) != len(logits):
            raise ValueError("y does not fit")
        y = np.arange(logits.shape[1]) == y[:, None]
    logits, targets = _pair(logits, y, "logits")
    return float(-np.sum(targets * _log_softmax(logits)) / len(logits))


@mistake(
    "cce",
    says="Your targets of shape (1, C) or (N, 1) are stretched over the scores. Ask for (N,) or (N, C) and name y.",
    killed_by=["16.H6"],
)
def cce_stretches_rows(logits, y):
    if y.ndim == 1:
        logits, targets = _scores_and_targets(logits, y)
    elif len(logits) == 0:
        raise ValueError("logits is empty")
    else:
        targets = y * np.ones_like(logits) if y.shape[1] in (1, logits.shape[1]) and len(y) in (1, len(logits)) else y
        logits, targets = _pair(logits, targets, "logits")
    return float(-np.sum(targets * _log_softmax(logits)) / len(logits))


# cce_grad

edit(
    "cce_grad_unscaled",
    "cce_grad",
    says="softmax - target is the gradient for one sample. The mean's 1/N is missing.",
    killed_by=["16.H2"],
    old=" / len(logits)",
    new="",
)
edit(
    "cce_grad_mean_of_everything",
    "cce_grad",
    says="You divided by N times C. The loss is a mean over the samples: divide by N.",
    killed_by=["16.H2"],
    old="len(logits)",
    new="logits.size",
)
edit(
    "cce_grad_sign",
    "cce_grad",
    says="The gradient is prediction minus target: the label's own entry is negative, so that a step against it raises that score.",
    killed_by=["16.H2", "16.H3"],
    old="np.exp(_log_softmax(logits)) - targets",
    new="targets - np.exp(_log_softmax(logits))",
)
edit(
    "cce_grad_label_only",
    "cce_grad",
    says="The other classes get a gradient too, their probability: raising a wrong score makes the label less probable.",
    killed_by=["16.H2", "16.H5"],
    old="(np.exp(_log_softmax(logits)) - targets)",
    new="targets * (np.exp(_log_softmax(logits)) - 1)",
)
edit(
    "cce_grad_of_log_probabilities",
    "cce_grad",
    says="You subtracted the targets from log-probabilities. The gradient is made of probabilities.",
    killed_by=["16.H2", "16.H5"],
    old="np.exp(_log_softmax(logits))",
    new="_log_softmax(logits)",
)
edit(
    "cce_grad_of_scores",
    "cce_grad",
    says="You subtracted the targets from the scores. The gradient is made of probabilities, the softmax of the scores.",
    killed_by=["16.H2", "16.H5"],
    old="np.exp(_log_softmax(logits))",
    new="logits",
)
edit(
    "cce_grad_through_softmax_again",
    "cce_grad",
    says="You sent softmax - target back through the softmax once more. It is the gradient for the logits already.",
    killed_by=["16.H2"],
    old="return (np.exp(_log_softmax(logits)) - targets) / len(logits)",
    new="p = np.exp(_log_softmax(logits))\n    u = p - targets\n    return p * (u - (p * u).sum(axis=1, keepdims=True)) / len(logits)",
)
edit(
    "cce_grad_overflow",
    "cce_grad",
    says="The softmax in your gradient computes exp of scores in the thousands. Subtract the largest score of each row first.",
    killed_by=["16.H3"],
    old="np.exp(_log_softmax(logits))",
    new="np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)",
)


@mistake(
    "cce_grad",
    says="You reduced each row of targets to its largest entry. A soft row spreads its 1 over several classes: subtract the row itself.",
    killed_by=["16.H4"],
)
def cce_grad_hardens_targets(logits, y):
    logits, targets = _scores_and_targets(logits, y)
    p = np.exp(_log_softmax(logits))
    p[np.arange(len(logits)), targets.argmax(axis=1)] -= 1
    return p / len(logits)


@mistake(
    "cce_grad",
    says="np.eye makes float64 rows, and float32 minus float64 is float64. Give the one-hot rows the dtype of the logits.",
    killed_by=["16.H8"],
)
def cce_grad_always_float64(logits, y):
    logits, targets = _scores_and_targets(logits, y)
    return (np.exp(_log_softmax(logits)) - targets.astype(np.float64)) / len(logits)
