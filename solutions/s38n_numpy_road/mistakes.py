"""Section 38n: what people get wrong."""

from nnkit.grader.mistakes import edit

edit(
    "float64_start_values", "network", killed_by=["38n.H1"],
    says="The biases are float64, and make everything after them float64 too.",
    old="np.zeros(n_out, np.float32)", new="np.zeros(n_out)",
)
edit(
    "float64_weights", "network", killed_by=["38n.H1"],
    says="initialize returns float64, and everything after it would be float64 too: make the weights float32.",
    old=".astype(np.float32), np.zeros", new=", np.zeros",
)
edit(
    "another_kind", "network", killed_by=["38n.H1"],
    says="Behind these layers come ReLUs, which halve the signal: the start for them is \"he\", of variance 2 / n_in.",
    old='initialize("he"', new='initialize("xavier"',
)
edit(
    "scaled_once_more", "network", killed_by=["38n.H1"],
    says="initialize has the right variance already; you scale it once more.",
    old="int(own)).astype(np.float32)", new="int(own)).astype(np.float32) * np.float32((2 / n_in) ** 0.5)",
)
edit(
    "unseeded", "network", killed_by=["38n.H1"],
    says="The start values do not depend on the seed.",
    old="np.random.SeedSequence(seed)", new="np.random.SeedSequence(0)",
)
edit(
    "one_seed_for_all_layers", "network", killed_by=["38n.H1"],
    says="All layers get the same seed, and so the same numbers, cut to other shapes. Give each layer a seed of its own.",
    old="int(own))", new="seed)",
)
edit(
    "seed_plus_layer", "network", killed_by=["38n.H1"],
    says="seed + layer is the same for the second layer of one seed and the first layer of the next. Keep the seeds of two networks apart.",
    old="seeds = np.random.SeedSequence(seed).generate_state(len(SIZES) - 1)", new="seeds = range(seed, seed + len(SIZES) - 1)",
)
edit(
    "random_biases", "network", killed_by=["38n.H1"],
    says="Biases begin at 0.",
    old="np.zeros(n_out, np.float32)", new="np.random.default_rng(seed).standard_normal(n_out).astype(np.float32) / 100",
)
edit(
    "relu_on_the_logits", "predict", killed_by=["38n.H2"],
    says="Behind the last layer comes no ReLU: logits may be negative.",
    old="return dense(X, *layers[-1])", new="return relu(dense(X, *layers[-1]))",
)
edit(
    "no_relu_at_all", "predict", killed_by=["38n.H2"],
    says="Between the layers a ReLU is missing.",
    old="X = relu(dense(X, W, b))", new="X = dense(X, W, b)",
)
edit(
    "relu_behind_the_last", "gradients", killed_by=["38n.H3"],
    says="Without dropout the last activation is the identity, not relu.",
    old='["relu"] * (len(layers) - 1) + ["identity"]', new='["relu"] * len(layers)',
)
edit(
    "dropout_forward_only", "gradients", killed_by=["38n.H4"],
    says="On the way back dropout_backward is missing: a unit that was dropped passes no gradient.",
    old="upstream = dropout_backward(delta @ layers[i + 1][0], p, uniforms[i], True)", new="upstream = delta @ layers[i + 1][0]",
)
edit(
    "dropout_backward_only", "gradients", killed_by=["38n.H4"],
    says="On the way forward dropout is missing.",
    old="dropout(relu(sums[-1]), p, u, True)", new="relu(sums[-1])",
)
edit(
    "back_without_scale", "gradients", killed_by=["38n.H4"],
    says="On the way back what passes must be scaled by 1/(1-p) as well: dropout_backward does that, a mask of 0 and 1 does not.",
    old="dropout_backward(delta @ layers[i + 1][0], p, uniforms[i], True)", new="delta @ layers[i + 1][0] * (uniforms[i] >= p)",
)
edit(
    "drops_the_logits", "gradients", killed_by=["38n.H4"],
    says="There is dropout in front of the loss; only what comes out of a ReLU is dropped.",
    old="logits = dense(inputs[-1], *layers[-1])", new="logits = dense(inputs[-1], *layers[-1])\n    logits = dropout(logits, p, np.resize(uniforms[-1], logits.shape), True)",
)
edit(
    "no_slope", "gradients", killed_by=["38n.H4"],
    says="On the way back the slope of the ReLU is missing.",
    old="delta = relu_backward(sums[i], upstream)", new="delta = upstream",
)
edit(
    "numbers_of_the_next_layer", "gradients", killed_by=["38n.H4"],
    says="The random numbers are used in the wrong order on the way back: the last hidden layer comes first.",
    old="p, uniforms[i], True)", new="p, uniforms[~i] if uniforms[~i].shape == sums[i].shape else uniforms[i], True)",
)
edit(
    "divides_twice", "gradients", killed_by=["38n.H4"],
    says="cce_grad is divided by N already; you divide once more.",
    old="delta = cce_grad(logits, y)", new="delta = cce_grad(logits, y) / len(y)",
)
edit(
    "mean_of_the_biases", "gradients", killed_by=["38n.H4"],
    says="The gradient of a bias is the sum over the rows; the mean is in δ already.",
    old="grads = [(delta.T @ inputs[-1], delta.sum(axis=0))]", new="grads = [(delta.T @ inputs[-1], delta.mean(axis=0))]",
)
edit(
    "float64_on_the_way_back", "gradients", killed_by=["38n.H5"],
    says="The way back runs in float64 although samples and weights are float32: it costs twice the time and memory.",
    old="delta = cce_grad(logits, y)", new="delta = cce_grad(logits, y).astype(np.float64)",
)
edit(
    "last_layer_first", "gradients", killed_by=["38n.H4"],
    says="The gradients come last layer first. Return them in the order of the layers.",
    old="grads[::-1]}", new="grads}",
)
edit(
    "another_rate", "make_optimizer", killed_by=["38n.H6"],
    says="The learning rate is 0.001.",
    old="lr=0.001", new="lr=0.01",
)
edit(
    "mean_of_batch_means", "train_epoch", killed_by=["38n.H7"],
    says="The mean of the batches' means is not the mean over the samples: the last batch is smaller.",
    old="""total += found["loss"] * len(rows)
    return total / len(X), layers""",
    new="""total += found["loss"]
    return total / -(-len(X) // batch_size), layers""",
)
edit(
    "drops_last_batch", "train_epoch", killed_by=["38n.H7"],
    says="The last batch, which is not full, is left out.",
    old="range(0, len(X), batch_size)", new="range(0, len(X) - len(X) % batch_size if len(X) > batch_size else len(X), batch_size)",
)
edit(
    "one_order_for_all", "train_epoch", killed_by=["38n.H8"],
    says="Every epoch has the same order and drops the same. Let the epoch count too.",
    old="default_rng([seed, epoch])", new="default_rng(seed)",
)
edit(
    "no_dropout", "train_epoch", killed_by=["38n.H8"],
    says="Nothing is dropped: the random numbers do not reach gradients.",
    old="layers, p, uniforms)", new="layers)",
)
edit(
    "one_row_of_numbers", "train_epoch", killed_by=["38n.H8"],
    says="All samples of a batch share their random numbers; each needs its own.",
    old="rng.random((len(rows), len(b)), np.float32)", new="np.repeat(rng.random((1, len(b)), np.float32), len(rows), 0)",
)
edit(
    "no_shuffle", "train_epoch", killed_by=["38n.H8"],
    says="The samples come in the same order in every epoch: shuffle them.",
    old="order, total = rng.permutation(len(X)), 0.0", new="order, total = np.arange(len(X)), 0.0",
)
edit(
    "only_divided_by_255", "run", killed_by=["38n.H9"],
    says="The pixels are only divided by 255. Subtract 0.1307 and divide by 0.3081 as well.",
    old="""    X -= 0.1307
    X /= 0.3081
""", new="",
)
edit(
    "optimizer_anew", "run", killed_by=["38n.H9"],
    says="A fresh Adam in every epoch forgets its moments. Make it once.",
    old="loss, layers = train_epoch(X, y, layers, optimizer,", new="loss, layers = train_epoch(X, y, layers, make_optimizer(),",
)
edit(
    "labels_off_by_one", "run", killed_by=["38n.H9", "38n.H10"],
    says="Labels and images are out of step.",
    old="y = labels.astype(np.int64)", new="y = np.roll(labels, 1).astype(np.int64)",
)
