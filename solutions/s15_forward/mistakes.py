"""Section 15: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# dense

edit(
    "w_transposed",
    "dense",
    says="Rows of W are units, so it is X @ W.T. X @ W runs only where W happens to be square, and is wrong there too.",
    killed_by=["15.H1"],
    old="X @ W.T + b + 0.0",
    new="X @ W + b + 0.0",
)
edit(
    "bias_as_column",
    "dense",
    says="The bias belongs to the units, which are the columns of the result: add it to each row, not to each column.",
    killed_by=["15.H1"],
    old="X @ W.T + b + 0.0",
    new="X @ W.T + b[:, None] + 0.0",
)
edit(
    "bias_forgotten",
    "dense",
    says="The bias is missing: every unit adds its own b to its weighted sum.",
    killed_by=["15.H1"],
    old="X @ W.T + b + 0.0",
    new="X @ W.T + 0.0",
)
edit(
    "units_as_rows",
    "dense",
    says="Your result has units as rows and samples as columns. A batch keeps its samples as rows: shape (N, O).",
    killed_by=["15.H1"],
    old="return X @ W.T + b + 0.0",
    new="return W @ X.T + b[:, None] + 0.0",
)
edit(
    "bias_added_to_the_inputs",
    "dense",
    says="The bias is added after the sum over the inputs, not to the inputs.",
    killed_by=["15.H1"],
    old="X @ W.T + b + 0.0",
    new="(X + b) @ W.T + 0.0",
)
edit(
    "mean_instead_of_sum",
    "dense",
    says="A unit adds up its weighted inputs. You took their mean.",
    killed_by=["15.H1"],
    old="X @ W.T + b + 0.0",
    new="X @ W.T / X.shape[1] + b + 0.0",
)
edit(
    "casts_to_float64",
    "dense",
    says="You compute in float64 whatever comes in. A float32 network must stay float32: it was chosen to save memory.",
    killed_by=["15.H6"],
    old="X @ W.T + b + 0.0",
    new="X.astype(np.float64) @ W.T + b + 0.0",
)
edit(
    "sums_of_ints_stay_ints",
    "dense",
    says="Weighted sums of ints are ints in your code. What a layer puts out is float64 for ints.",
    killed_by=["15.H6"],
    old="X @ W.T + b + 0.0",
    new="X @ W.T + b",
)


@mistake(
    "dense",
    says="A Python loop over the samples is many times slower than one matrix product for the whole batch.",
    killed_by=["15.H8"],
    not_nameable="gives the right values, only slowly",
)
def dense_row_by_row(X, W, b):
    if X.shape[1] != W.shape[1]:
        raise ValueError("the rows of X and W differ in length")
    if b.shape != W.shape[:1]:
        raise ValueError("b does not fit")
    out = np.empty((len(X), len(W)), np.result_type(X, W, b, np.float32) if X.dtype.kind == "f" else np.float64)
    for n, x in enumerate(X):
        out[n] = W @ x + b
    return out


edit(
    "widths_left_to_numpy",
    "dense",
    says="Widths that do not fit end in an error of numpy's matrix product. Say yourself that X and W do not fit.",
    killed_by=["15.H7"],
    old="if X.shape[1] != W.shape[1]:",
    new="if False:",
    not_nameable="numpy's error is a ValueError too; only its text differs, which the diagnosis does not compare",
)
edit(
    "bias_is_stretched",
    "dense",
    says="A bias of length 1 is stretched over all units by numpy, without a word. Refuse a b that does not fit W.",
    killed_by=["15.H7"],
    old="if b.shape != W.shape[:1]:",
    new="if False:",
)

# forward

edit(
    "relu_on_the_output",
    "forward",
    says="The last layer uses its own activation, the last name of the list. You put relu there.",
    killed_by=["15.H1", "15.H2"],
    old="_activate(name, z[-1])",
    new="_activate(name if len(z) < len(layers) else \"relu\", z[-1])",
)
edit(
    "output_without_activation",
    "forward",
    says="Your last layer has no activation. It has one like every other layer, even if it is the identity at times.",
    killed_by=["15.H1", "15.H2"],
    old="_activate(name, z[-1])",
    new="_activate(name if len(z) < len(layers) else \"identity\", z[-1])",
)
edit(
    "activation_skipped_first",
    "forward",
    says="Your first layer has no activation. Every layer applies its own f, the first one too.",
    killed_by=["15.H2"],
    old="_activate(name, z[-1])",
    new="_activate(name if len(z) > 1 else \"identity\", z[-1])",
)
edit(
    "first_name_everywhere",
    "forward",
    says="All your layers use the first name of the list. Each layer has its own.",
    killed_by=["15.H1", "15.H2"],
    old="_activate(name, z[-1])",
    new="_activate(activations[0], z[-1])",
)
edit(
    "names_from_behind",
    "forward",
    says="You hand out the activations from the last to the first. The first name belongs to the first layer.",
    killed_by=["15.H1", "15.H2"],
    old="zip(layers, activations, strict=True)",
    new="zip(layers, activations[::-1], strict=True)",
)
edit(
    "sums_passed_on",
    "forward",
    says="The next layer must see the activations of this one. You passed on the weighted sums.",
    killed_by=["15.H1", "15.H2"],
    old="dense(a[-1], W, b)",
    new="dense(z[-1] if z else a[0], W, b)",
)
edit(
    "activated_twice",
    "forward",
    says="The activation is applied twice in each layer.",
    killed_by=["15.H1", "15.H2"],
    old="_activate(name, z[-1])",
    new="_activate(name, _activate(name, z[-1]))",
)
edit(
    "a0_missing",
    "forward",
    says="Your a starts after the first layer. a[0] is the input: backpropagation needs it for the first weights.",
    killed_by=["15.H2"],
    old="return {\"z\": z, \"a\": a}",
    new="return {\"z\": z, \"a\": a[1:]}",
)
edit(
    "z0_is_the_input",
    "forward",
    says="Your z starts with the input. z[0] is the weighted sum of the first layer; only a starts with the input.",
    killed_by=["15.H2"],
    old="return {\"z\": z, \"a\": a}",
    new="return {\"z\": [a[0], *z], \"a\": a}",
)
edit(
    "output_missing",
    "forward",
    says="The output is missing in a: it ends with the activation of the last layer.",
    killed_by=["15.H1", "15.H2"],
    old="return {\"z\": z, \"a\": a}",
    new="return {\"z\": z, \"a\": a[:-1]}",
)
edit(
    "z_after_the_activation",
    "forward",
    says="Your z holds the outputs of the layers. z is the weighted sum *before* the activation.",
    killed_by=["15.H2"],
    old="return {\"z\": z, \"a\": a}",
    new="return {\"z\": a[1:], \"a\": a}",
)
edit(
    "a_before_the_activation",
    "forward",
    says="Your a holds the weighted sums. a is what comes out of the activation.",
    killed_by=["15.H1", "15.H2"],
    old="return {\"z\": z, \"a\": a}",
    new="return {\"z\": z, \"a\": [a[0], *z]}",
)
edit(
    "a0_is_x",
    "forward",
    says="a[0] is the caller's own array. If X changes later, the trace changes with it: keep a copy.",
    killed_by=["15.H2"],
    old="[X + 0.0]",
    new="[X if X.dtype.kind == \"f\" else X + 0.0]",
)
edit(
    "a0_keeps_ints",
    "forward",
    says="a[0] of an int X is an int array in your trace. All arrays of the trace are floats.",
    killed_by=["15.H6"],
    old="[X + 0.0]",
    new="[X.copy()]",
)
edit(
    "trace_in_float64",
    "forward",
    says="The trace starts with a float64 copy of X, so a float32 network computes in float64 from there on.",
    killed_by=["15.H6"],
    old="[X + 0.0]",
    new="[X.astype(np.float64)]",
)
edit(
    "names_are_not_counted",
    "forward",
    says="zip stops at the shorter list: with too few names layers are left out without a word. Compare the lengths.",
    killed_by=["15.H7"],
    old="""    if len(activations) != len(layers):
        raise ValueError(f"activations has {len(activations)} names for {len(layers)} layers")
    z, a = [], [X + 0.0]  # a copy: the trace must not change with X
    for (W, b), name in zip(layers, activations, strict=True):""",
    new="""    z, a = [], [X + 0.0]
    for (W, b), name in zip(layers, activations):""",
)
edit(
    "surplus_names_pass",
    "forward",
    says="You refuse too few names, but too many pass. One name for each layer, neither more nor fewer.",
    killed_by=["15.H7"],
    old="""    if len(activations) != len(layers):
        raise ValueError(f"activations has {len(activations)} names for {len(layers)} layers")
    z, a = [], [X + 0.0]  # a copy: the trace must not change with X
    for (W, b), name in zip(layers, activations, strict=True):""",
    new="""    if len(activations) < len(layers):
        raise ValueError("activations has too few names")
    z, a = [], [X + 0.0]
    for (W, b), name in zip(layers, activations):""",
)
edit(
    "softmax_over_the_batch",
    "_activate",
    says="softmax runs over the classes of each sample, along the rows. Yours runs down the batch.",
    killed_by=["15.H1", "15.H3", "15.H4"],
    old="""        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)""",
    new="""        e = np.exp(z - z.max(axis=0, keepdims=True, initial=-1e300))
        return e / e.sum(axis=0, keepdims=True)""",
)
edit(
    "softmax_over_everything",
    "_activate",
    says="The probabilities of each sample add up to 1. Yours add up to 1 over the whole batch.",
    killed_by=["15.H1"],
    old="e.sum(axis=-1, keepdims=True)",
    new="e.sum()",
)
edit(
    "softmax_overflow",
    "_activate",
    says="exp of a sum of 1000 overflows. Subtract the largest sum of the sample first; that changes nothing in the result.",
    killed_by=["15.H1"],
    old="np.exp(z - z.max(axis=-1, keepdims=True))",
    new="np.exp(z)",
)
edit(
    "softmax_minus_the_batch_maximum",
    "_activate",
    says="You subtract the largest sum of the whole batch, so rows far below it become 0 / 0. Each row has its own maximum.",
    killed_by=["15.H1"],
    old="z - z.max(axis=-1, keepdims=True)",
    new="z - z.max(initial=-1e300)",
)
edit(
    "softmax_is_sigmoid",
    "_activate",
    says="softmax is not the sigmoid of each entry: it divides by the sum over all classes.",
    killed_by=["15.H1"],
    old="""        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)""",
    new="        return 0.5 + 0.5 * np.tanh(0.5 * z)",
)
edit(
    "unknown_is_a_key_error",
    "_activate",
    says="An unknown name ends in the KeyError of `activation`. Asked for is a ValueError whose text names `activations`.",
    killed_by=["15.H7"],
    old="raise ValueError(f\"activations names {name!r}, which there is not\") from None",
    new="raise",
)
edit(
    "unknown_is_identity",
    "_activate",
    says="A layer with an unknown name is left without activation. A typing error must not turn a layer linear: refuse it.",
    killed_by=["15.H7"],
    old="raise ValueError(f\"activations names {name!r}, which there is not\") from None",
    new="return z + 0.0",
)

# predict

edit(
    "drops_last_batch",
    "predict",
    says="The last, smaller batch counts too. You stop after the last full one.",
    killed_by=["15.H4"],
    old="range(0, max(len(X), 1), size)",
    new="range(0, max(len(X) - size + 1, 1), size)",
)
edit(
    "batches_in_reverse",
    "predict",
    says="The batches come back in another order than their samples.",
    killed_by=["15.H4"],
    old="for start in starts])",
    new="for start in starts[::-1]])",
)
edit(
    "batches_overlap",
    "predict",
    says="Your batches are one row too long, so samples are computed twice and the result has too many rows.",
    killed_by=["15.H4"],
    old="X[start : start + size]",
    new="X[start : start + size + 1]",
)
edit(
    "batch_number_as_start",
    "predict",
    says="Batch i starts at row i * batch_size, not at row i.",
    killed_by=["15.H4"],
    old="X[start : start + size]",
    new="X[start // size : start // size + size]",
)
edit(
    "large_batch_is_refused",
    "predict",
    says="A batch_size above N is no error: then there is one batch, with all samples.",
    killed_by=["15.H4"],
    old="if size < 1:",
    new="if size < 1 or size > max(len(X), 1):",
)
edit(
    "nothing_to_concatenate",
    "predict",
    says="Without samples there is no batch and nothing to put together. The result has the shape (0, O) all the same.",
    killed_by=["15.H4"],
    old="range(0, max(len(X), 1), size)",
    new="range(0, len(X), size)",
)
edit(
    "list_of_batches",
    "predict",
    says="You return a list with one array for each batch. Put them together: shape (N, O).",
    killed_by=["15.H4"],
    old="np.concatenate([forward(X[start : start + size], layers, activations)[\"a\"][-1] for start in starts])",
    new="[forward(X[start : start + size], layers, activations)[\"a\"][-1] for start in starts]",
)
edit(
    "predict_returns_z",
    "predict",
    says="predict returns the output of the network, after the last activation. You returned the last weighted sums.",
    killed_by=["15.H4"],
    old="[\"a\"][-1]",
    new="[\"z\"][-1]",
)


@mistake(
    "predict",
    says="The result is collected in an array of zeros of float64, so a float32 network predicts in float64.",
    killed_by=["15.H6"],
)
def predict_into_zeros(X, layers, activations, batch_size=None):
    size = max(len(X), 1) if batch_size is None else batch_size
    if size < 1:
        raise ValueError("batch_size is too small")
    out = np.zeros((len(X), len(layers[-1][1])))
    for start in range(0, len(X), size):
        out[start : start + size] = forward(X[start : start + size], layers, activations)["a"][-1]
    return out


@mistake(
    "predict",
    says="The result is collected in an array made like X. For an int X it cuts every output down to a whole number.",
    killed_by=["15.H6"],
)
def predict_into_ints(X, layers, activations, batch_size=None):
    size = max(len(X), 1) if batch_size is None else batch_size
    if size < 1:
        raise ValueError("batch_size is too small")
    out = np.zeros((len(X), len(layers[-1][1])), X.dtype)
    for start in range(0, len(X), size):
        out[start : start + size] = forward(X[start : start + size], layers, activations)["a"][-1]
    return out


edit(
    "any_batch_size",
    "predict",
    says="A batch_size of 0 or less does not end in a ValueError that names it.",
    killed_by=["15.H7"],
    old="if size < 1:",
    new="if False:",
    not_nameable="range and concatenate raise a ValueError too; only its text differs, which the diagnosis does not compare",
)

# forward_single

edit(
    "single_row_form",
    "forward_single",
    says="x @ W multiplies the columns of W. For one sample it is W @ x: every row of W with x.",
    killed_by=["15.H5"],
    old="W @ x + b + 0.0",
    new="x @ W + b + 0.0",
)
edit(
    "single_without_bias",
    "forward_single",
    says="The bias is missing in forward_single.",
    killed_by=["15.H5"],
    old="W @ x + b + 0.0",
    new="W @ x + 0.0",
)
edit(
    "single_keeps_the_batch",
    "forward_single",
    says="The result still has the axis of a batch, (1, O). One sample in, one vector (O,) out.",
    killed_by=["15.H5"],
    old="    return x",
    new="    return x[None]",
)


@mistake(
    "forward_single",
    says="With x as a column (D, 1) the softmax along the last axis sees one number at a time and gives 1 for each class.",
    killed_by=["15.H5"],
)
def single_softmax_of_a_column(x, layers, activations):
    x = x[:, None]
    for (W, b), name in zip(layers, activations, strict=True):
        x = _activate(name, W @ x + b[:, None] + 0.0)
    return x[:, 0]


@mistake(
    "forward_single",
    says="W @ x is a column (O, 1) in your code, and b of shape (O,) stretches it to a square (O, O).",
    killed_by=["15.H5"],
)
def single_column_and_flat_bias(x, layers, activations):
    x = x[:, None]
    for (W, b), name in zip(layers, activations, strict=True):
        x = _activate(name, W @ x + b + 0.0)
    return x[:, 0]


edit(
    "single_without_the_last_activation",
    "forward_single",
    says="The activation of the last layer is missing in forward_single.",
    killed_by=["15.H5"],
    old="        x = _activate(name, W @ x + b + 0.0)",
    new="        x = W @ x + b + 0.0\n        x = x if W is layers[-1][0] else _activate(name, x)",
)
edit(
    "single_of_ints",
    "forward_single",
    says="One sample of ints with weights of ints gives ints in your code. The result is float64.",
    killed_by=["15.H6"],
    old="W @ x + b + 0.0",
    new="W @ x + b",
)
edit(
    "single_in_float64",
    "forward_single",
    says="forward_single computes in float64 whatever comes in. float32 stays float32.",
    killed_by=["15.H6"],
    old="W @ x + b + 0.0",
    new="W @ x.astype(np.float64) + b",
)
edit(
    "single_works_in_place",
    "forward_single",
    says="You store every layer's result in the caller's x: after the call the sample is another one.",
    killed_by=["15.H6"],
    old="        x = _activate(name, W @ x + b + 0.0)\n    return x",
    new="""        result = _activate(name, W @ x + b + 0.0)
        if result.shape == x.shape and x.dtype == result.dtype:
            x[:] = result
        x = result
    return x + 0.0""",
)
