"""Section 38: what people get wrong."""

from nnkit.grader.mistakes import edit

# Reading and normalising

edit(
    "little_endian", "read_idx", killed_by=["38.H1"],
    says="IDX sizes are big-endian: the most significant byte comes first, '>' in struct and numpy.",
    old='f">{rank}I"', new='f"<{rank}I"',
)
edit(
    "only_images", "read_idx", killed_by=["38.H1"],
    says="The fourth byte says how many sizes follow; labels have one, images three. Do not take three for granted.",
    old="code, rank = data[2], data[3]", new="code, rank = data[2], 3",
)
edit(
    "plain_files_only", "read_idx", killed_by=["38.H1"],
    says="A file that begins with 1f 8b is packed by gzip; decompress it before you read the sizes.",
    old='if data[:2] == b"\\x1f\\x8b":', new="if False:",
)
edit(
    "ignores_the_length", "read_idx", killed_by=["38.H2"],
    says="Compare the number of bytes with the sizes: a file that is cut short or too long must be refused, naming data.",
    old="""if len(data) - begin != math.prod(sizes):
        raise ValueError(f"data announces the sizes {sizes}, but {len(data) - begin} bytes follow")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(sizes)""",
    new="""found = np.frombuffer(data, np.uint8, offset=begin)
    return np.resize(found, sizes)""",
)
edit(
    "accepts_any_type", "read_idx", killed_by=["38.H2"],
    says="The third byte is the type of the numbers. Only 8, unsigned bytes, is read here; refuse the others.",
    old="if code != 8:", new="if False:",
)
edit(
    "crashes_on_an_empty_file", "read_idx", killed_by=["38.H2"],
    says="A file may be shorter than four bytes, or empty; data[0] is then an IndexError. Look at its length first.",
    old='if len(data) < 4 or data[:2] != b"\\0\\0":', new="if data[0] != 0 or data[1] != 0:",
)
edit(
    "sizes_cut_short", "read_idx", killed_by=["38.H2"],
    says="A file that ends within its sizes must be refused, naming data: what is left of a size is a number too, but not the size.",
    old="""if len(data) < begin:
        raise ValueError(f"data ends within its {rank} sizes")
    sizes = struct.unpack(f">{rank}I", data[4:begin])
    if len(data) - begin != math.prod(sizes):
        raise ValueError(f"data announces the sizes {sizes}, but {len(data) - begin} bytes follow")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(sizes)""",
    new="""sizes = [int.from_bytes(data[k : k + 4], "big") for k in range(4, begin, 4)]
    found = np.frombuffer(data[begin:], np.uint8)
    if found.size != math.prod(sizes):
        raise ValueError(f"data announces the sizes {sizes}, but {found.size} bytes follow")
    return found.reshape(sizes)""",
)
edit(
    "gzip_error_passes", "read_idx", killed_by=["38.H2"],
    says="What gzip raises for a damaged file is no ValueError. Catch OSError, EOFError and zlib.error, and raise one that names data.",
    old="except (OSError, EOFError, zlib.error) as error:", new="except ZeroDivisionError as error:",
)
edit(
    "no_normalisation", "normalise", killed_by=["38.H3"],
    says="The pixels are only divided by 255. Subtract 0.1307 and divide by 0.3081 as well.",
    old=".div_(255).sub_(0.1307).div_(0.3081)", new=".div_(255)",
)
edit(
    "normalises_before_scaling", "normalise", killed_by=["38.H3"],
    says="0.1307 and 0.3081 belong to pixels from 0 to 1. Divide by 255 first.",
    old=".div_(255).sub_(0.1307).div_(0.3081)", new=".sub_(0.1307).div_(0.3081).div_(255)",
)
edit(
    "divides_by_256", "normalise", killed_by=["38.H3"],
    says="The largest byte is 255, and it must become 1 before the mean is subtracted: divide by 255, not by 256.",
    old=".div_(255)", new=".div_(256)",
)
edit(
    "no_channel", "normalise", killed_by=["38.H3"],
    says="Images in torch have a channel axis, also where there is only one: (N, 1, H, W).",
    old=".unsqueeze(1)", new="",
)
edit(
    "own_statistics", "normalise", killed_by=["38.H3"],
    says="You normalise by mean and standard deviation of the images at hand. Use the training set's, 0.1307 and 0.3081, for all images alike.",
    old=".div_(255).sub_(0.1307).div_(0.3081)",
    new=".div_(255).sub_(images.mean() / 255 if images.size else 0).div_(images.std() / 255 if images.size else 1)",
)

edit(
    "takes_any_images", "normalise", killed_by=["38.H4"],
    says="Images that are not uint8, or not (N, H, W), must be refused with a ValueError that says images: floats from 0 to 1 would be divided by 255 again.",
    old="if images.dtype != np.uint8 or images.ndim != 3:", new="if False:",
)

# Batches

edit(
    "drops_last_batch", "batches", killed_by=["38.H5"],
    says="60,000 images in batches of 64 are 938 batches, not 937: the last one is smaller, and belongs to the epoch too.",
    old="range(0, n, batch_size)", new="range(0, n - n % batch_size, batch_size)",
)
edit(
    "no_shuffle", "batches", killed_by=["38.H5", "38.H11"],
    says="With shuffle=True every epoch needs a new order of the samples; yours is always the same.",
    old="np.random.default_rng([seed, epoch]).permutation(n) if shuffle else np.arange(n)", new="np.arange(n)",
)
edit(
    "one_order_for_all_epochs", "batches", killed_by=["38.H5"],
    says="The order depends on the seed alone, so all epochs are shuffled alike. Let the epoch count too.",
    old="default_rng([seed, epoch])", new="default_rng(seed)",
)
edit(
    "seed_plus_epoch", "batches", killed_by=["38.H5"],
    says="seed + epoch is the same number for (1, 2) and (2, 1), so two trainings share their orders. Seed with the pair.",
    old="default_rng([seed, epoch])", new="default_rng(seed + epoch)",
)
edit(
    "draws_with_replacement", "batches", killed_by=["38.H5"],
    says="Some samples come twice in an epoch and others never. Shuffle the indices, do not draw them one by one.",
    old="default_rng([seed, epoch]).permutation(n)", new="default_rng([seed, epoch]).integers(0, n, n)",
)
edit(
    "always_shuffles", "batches", killed_by=["38.H5"],
    says="With shuffle=False the samples come in their own order.",
    old="if shuffle else np.arange(n)", new="if True else np.arange(n)",
)

edit(
    "no_samples_no_batches", "batches", killed_by=["38.H6"],
    says="Without a sample there is no epoch: n below 1 must be refused with a ValueError that says n.",
    old="if n < 1:", new="if False:",
)

# The network

edit(
    "softmax_in_model", "build_model", killed_by=["38.H7"],
    says="The network must end with logits: cross-entropy applies a log-softmax itself, and two of them flatten the gradients.",
    old="nn.Linear(128, 10),", new="nn.Linear(128, 10), nn.Softmax(dim=1),",
)
edit(
    "no_activation", "build_model", killed_by=["38.H7"],
    says="Without ReLU between them the three layers are one linear layer (section 11).",
    old="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),",
    new="nn.Linear(784, 256), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.Dropout(0.2),",
)
edit(
    "sigmoid_hidden_layers", "build_model", killed_by=["38.H7"],
    says="The hidden layers have sigmoids; the architecture asks for ReLU.",
    old="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),",
    new="nn.Linear(784, 256), nn.Sigmoid(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.Sigmoid(), nn.Dropout(0.2),",
)
edit(
    "relu_on_the_logits", "build_model", killed_by=["38.H7"],
    says="Behind the last layer comes no ReLU: logits may be negative.",
    old="nn.Linear(128, 10),", new="nn.Linear(128, 10), nn.ReLU(),",
)
edit(
    "dropout_keep", "build_model", killed_by=["38.H8"],
    says="nn.Dropout takes the probability to drop. You drop 80 % of the units; 0.2 was meant.",
    old="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),",
    new="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.8),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.8),",
)
edit(
    "default_dropout", "build_model", killed_by=["38.H8"],
    says="nn.Dropout() without a number drops half of the units; a fifth was asked for.",
    old="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),",
    new="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(),",
)
edit(
    "dropout_on_logits", "build_model", killed_by=["38.H8"],
    says="There is dropout behind the last layer: a dropped logit is a class that got lost. Only hidden units are dropped.",
    old="nn.Linear(128, 10),", new="nn.Linear(128, 10), nn.Dropout(0.2),",
)
edit(
    "no_dropout_at_all", "build_model", killed_by=["38.H8"],
    says="The network has no dropout; each hidden layer is followed by one of 0.2.",
    old="nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),\n            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),",
    new="nn.Linear(784, 256), nn.ReLU(),\n            nn.Linear(256, 128), nn.ReLU(),",
)
edit(
    "one_dropout", "build_model", killed_by=["38.H8"],
    says="Only the first hidden layer is followed by dropout; the second needs one too.",
    old="nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),", new="nn.Linear(256, 128), nn.ReLU(),",
)
edit(
    "unseeded", "build_model", killed_by=["38.H9"],
    says="The weights do not depend on the seed: seed a generator of torch's before the layers are made.",
    old="torch.default_generator.manual_seed(seed)", new="pass",
)
edit(
    "seeds_the_world", "build_model", killed_by=["38.H9"],
    says="torch.manual_seed moved the generator of everybody else in the process. Put it back: with torch.random.fork_rng().",
    old="with torch.random.fork_rng(devices=[]):  # the global generator is put back at the end", new="if True:",
)

# The optimizer

edit(
    "sgd_instead_of_adam", "make_optimizer", killed_by=["38.H15"],
    says="These are steps of plain gradient descent; with a rate of 0.001 it hardly moves. Use Adam.",
    old="torch.optim.Adam(", new="torch.optim.SGD(",
)
edit(
    "ten_times_the_rate", "make_optimizer", killed_by=["38.H15"],
    says="The steps are ten times as large as they should be: the learning rate is 0.001.",
    old="lr=0.001", new="lr=0.01",
)
edit(
    "adamw_instead_of_adam", "make_optimizer", killed_by=["38.H15"],
    says="AdamW pulls all weights towards zero by default; plain Adam was asked for.",
    old="torch.optim.Adam(", new="torch.optim.AdamW(",
)
edit(
    "trains_the_last_layer", "make_optimizer", killed_by=["38.H15"],
    says="The optimizer knows only some of the parameters. Give it all of model.parameters().",
    old="model.parameters()", new="list(model.parameters())[-2:]",
)

# Training

edit(
    "no_zero_grad", "train_epoch", killed_by=["38.H10"],
    says="Gradients add up from step to step. Call optimizer.zero_grad() before every backward.",
    old="optimizer.zero_grad()", new="pass",
)
edit(
    "never_steps", "train_epoch", killed_by=["38.H10"],
    says="No weight moves: after backward comes optimizer.step(), and zero_grad before both.",
    old="            optimizer.step()\n", new="",
)
edit(
    "sum_over_the_batch", "train_epoch", killed_by=["38.H10"],
    says="The loss is summed over the batch; the mean was meant, so that the step does not grow with the batch.",
    old="""loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)""",
    new="""loss = nn.functional.cross_entropy(model(X[rows]), y[rows], reduction="sum")
            loss.backward()
            optimizer.step()
            total += loss.item()""",
)
edit(
    "softmax_before_the_loss", "train_epoch", killed_by=["38.H10", "38.H11"],
    says="You apply a softmax before cross_entropy, which applies one itself. Pass it the logits.",
    old="cross_entropy(model(X[rows]), y[rows])", new="cross_entropy(model(X[rows]).softmax(1), y[rows])",
)
edit(
    "mean_of_batch_means", "train_epoch", killed_by=["38.H11"],
    says="You average the means of the batches. The last batch is smaller (32 of 60,000 images): weight each by its size.",
    old="""total += loss.item() * len(rows)  # the loss is a mean over the batch, and the last batch is smaller
    return total / len(X)""",
    new="""total += loss.item()
    return total / -(-len(X) // batch_size)""",
)
edit(
    "graph_kept", "train_epoch", killed_by=["38.H11"],
    says="total += loss keeps the graphs of all batches in memory, and returns a tensor. Add loss.item().",
    old="loss.item() * len(rows)", new="loss * len(rows)",
)
edit(
    "half_of_the_epoch", "train_epoch", killed_by=["38.H10", "38.H11"],
    says="Only every second batch is trained on.",
    old="True, seed, epoch)):", new="True, seed, epoch)[::2]):",
    not_nameable="where an epoch is one batch it is right, and elsewhere the order of the batches hides what was left out",
)
edit(
    "labels_of_the_next", "train_epoch", killed_by=["38.H10", "38.H11"],
    says="Images and labels are out of step: take the labels with the same indices as the images.",
    old="y[rows])", new="y[rows - 1])",
)
edit(
    "unshuffled_labels", "train_epoch", killed_by=["38.H11"],
    says="The images are shuffled and the labels are not. Take both with the same indices.",
    old="loss = nn.functional.cross_entropy(model(X[rows]), y[rows])",
    new="loss = nn.functional.cross_entropy(model(X[rows]), y[rows.sort().values])",
)
edit(
    "never_train_mode", "train_epoch", killed_by=["38.H12"],
    says="Call model.train() at the start of each epoch: evaluation has switched dropout off.",
    old="model.train()", new="pass",
)
edit(
    "same_dropout_every_epoch", "train_epoch", killed_by=["38.H12"],
    says="Dropout is seeded alike in every epoch. Let the epoch count too.",
    old="seed * 1_000_003 + epoch", new="seed",
)
edit(
    "dropout_unseeded", "train_epoch", killed_by=["38.H12"],
    says="What dropout drops does not depend on the seed, so no training can be repeated. Seed torch's generator for the epoch, and put it back.",
    old="default_generator.manual_seed(seed * 1_000_003 + epoch)",
    new="default_generator.manual_seed(int(np.random.randint(2**31)))",
)
edit(
    "shuffle_fixed", "train_epoch", killed_by=["38.H11"],
    says="Every epoch goes through the samples in the same order: pass the epoch on to batches.",
    old="batches(len(X), batch_size, True, seed, epoch)", new="batches(len(X), batch_size, True, seed, 0)",
)

# Measuring

edit(
    "no_eval_mode", "evaluate", killed_by=["38.H13"],
    says="Dropout is still on while you measure. Switch it off with model.eval().",
    old="model.eval()", new="pass",
)
edit(
    "stays_in_eval_mode", "evaluate", killed_by=["38.H13"],
    says="After evaluate the model stays in evaluation mode. Put back the mode it was in.",
    old="model.train(was_training)", new="pass",
)
edit(
    "always_back_to_training", "evaluate", killed_by=["38.H13"],
    says="evaluate leaves every model in training mode. Put back the mode it was in, whichever that was.",
    old="model.train(was_training)", new="model.train()",
)
edit(
    "confusion_transposed", "evaluate", killed_by=["38.H13"],
    says="Rows of the confusion matrix are true classes, columns what the network says; yours is transposed.",
    old="10 * y + guess", new="10 * guess + y",
)
edit(
    "accuracy_in_percent", "evaluate", killed_by=["38.H13"],
    says="accuracy is a share from 0 to 1, not a percentage.",
    old="(guess == y).double().mean().item()", new="100 * (guess == y).double().mean().item()",
)
edit(
    "float32_accuracy", "evaluate", killed_by=["38.H13"],
    says="The accuracy is rounded to seven digits in float32. Count in float64, or divide whole numbers.",
    old="(guess == y).double()", new="(guess == y).float()",
)
edit(
    "confusion_as_large_as_it_must", "evaluate", killed_by=["38.H13"],
    says="The confusion matrix has rows and columns for all ten digits, also for those that do not occur.",
    old="minlength=100).reshape(10, 10)", new="minlength=100)[: 10 * (int(max(y.max(), guess.max())) + 1)].reshape(-1, 10)",
)
edit(
    "confusion_of_floats", "evaluate", killed_by=["38.H13", "38.H14"],
    says="The entries of the confusion matrix are counts: int64.",
    old=".reshape(10, 10).numpy()", new=".reshape(10, 10).double().numpy()",
)
edit(
    "loss_of_the_last_batch", "evaluate", killed_by=["38.H13"],
    says="loss is that of the last batch alone; the mean over all samples was meant.",
    old='"loss": nn.functional.cross_entropy(logits, y).item()',
    new='"loss": nn.functional.cross_entropy(logits[-((len(y) - 1) % batch_size) - 1 :], y[-((len(y) - 1) % batch_size) - 1 :]).item()',
)

# Checkpoints

edit(
    "checkpoint_without_optimizer", "save_checkpoint", killed_by=["38.H16"],
    says="The checkpoint lacks Adam's moments and its count of steps; training goes on differently without them.",
    old='tensors |= {f"optimizer.{i}.{name}": value for name, value in slots.items()}', new="pass",
)
edit(
    "epoch_as_text", "load_checkpoint", killed_by=["38.H16"],
    says="The epoch comes back as a text: metadata of safetensors are texts; make it a number again.",
    old='"epoch": facts["epoch"]', new='"epoch": str(facts["epoch"])',
)
edit(
    "history_forgotten_by_the_checkpoint", "save_checkpoint", killed_by=["38.H16"],
    says="The checkpoint does not hold the history.",
    old='"history": history}', new='"history": []}',
)
edit(
    "moments_not_loaded", "load_checkpoint", killed_by=["38.H16"],
    says="The optimizer's state is in the checkpoint, but is not put back into the optimizer.",
    old='optimizer.load_state_dict({**optimizer.state_dict(), "state": state})', new="pass",
)
edit(
    "weights_not_loaded", "load_checkpoint", killed_by=["38.H16"],
    says="The weights are in the checkpoint, but the model that was passed in does not get them.",
    old='model.load_state_dict({name.removeprefix("model."): tensors[name] for name in needed})', new="pass",
)
edit(
    "loads_before_it_checks", "load_checkpoint", killed_by=["38.H17"],
    says="A checkpoint that lacks something must be refused before anything of it is put into the model.",
    old="""if lacking:
        raise ValueError(f"data is a checkpoint without {', '.join(lacking)}")

    model.load_state_dict({name.removeprefix("model."): tensors[name] for name in needed})""",
    new="""model.load_state_dict({name.removeprefix("model."): tensors[name] for name in needed & tensors.keys()}, strict=False)
    if lacking:
        raise ValueError(f"data is a checkpoint without {', '.join(lacking)}")
""",
)

# All together

edit(
    "cuts_to_fit", "run", killed_by=["38.H20"],
    says="Where labels or images are missing you train on what is there, probably with the wrong labels. Refuse files that do not fit together.",
    old="""    if len(images) != len(labels):
        raise ValueError(f"train_labels: there are {len(labels)} for {len(images)} images")
""",
    new="""    images, labels = images[: len(labels)], labels[: len(images)]
""",
)
edit(
    "checkpoint_restarts_epoch", "run", killed_by=["38.H18"],
    says="After a checkpoint the epochs are counted from 0 again, so the first shuffles come twice. Go on with the next epoch.",
    old="""for epoch in range(first, epochs):
        row""",
    new="""for epoch in range(0, epochs - first):
        row""",
)
edit(
    "checkpoint_counts_anew", "run", killed_by=["38.H18"],
    says="epochs is the number in all, those before the checkpoint included; you do that many more.",
    old="range(first, epochs)", new="range(first, first + epochs)",
)
edit(
    "history_forgotten", "run", killed_by=["38.H18"],
    says="The history begins anew after a checkpoint; it should go on with the one in the checkpoint.",
    old='first, history = known["epoch"], known["history"]', new='first = known["epoch"]',
)
edit(
    "epochs_from_zero", "run", killed_by=["38.H18"],
    says="In the history epochs are counted from 1, as people count.",
    old='"epoch": epoch + 1, "loss"', new='"epoch": epoch, "loss"',
)
edit(
    "seeds_globally_in_run", "run", killed_by=["38.H18"],
    says="run seeds the global generators; everybody else in the process then gets these numbers too.",
    old="model = build_model(seed)", new="torch.manual_seed(seed)\n    np.random.seed(seed)\n    model = build_model(seed)",
)
edit(
    "trains_on_validation", "run", killed_by=["38.H19"],
    says="The images that were to be held out are trained on too, so their accuracy says nothing.",
    old="train_epoch(model, X[:n], y[:n],", new="train_epoch(model, X, y,",
)
edit(
    "accuracy_of_training_set", "run", killed_by=["38.H19"],
    says="The validation accuracy is measured on the images that were trained on. Measure on those held out.",
    old="evaluate(model, X[n:], y[n:])", new="evaluate(model, X[:n], y[:n])",
)
edit(
    "validation_from_the_front", "run", killed_by=["38.H19"],
    says="The first images are held out; it should be the last.",
    old="X, y = normalise(images), torch.from_numpy(labels.astype(np.int64))",
    new="""X, y = normalise(images), torch.from_numpy(labels.astype(np.int64))
    X, y = X.roll(-validation, 0), y.roll(-validation)""",
)
edit(
    "tensors_in_the_result", "run", killed_by=["38.H18"],
    says="The state_dict of run holds tensors; numpy arrays were asked for, so that it can be used without torch.",
    old="value.numpy().copy()", new="value.clone()",
)
edit(
    "silent", "run", killed_by=["38.H22"],
    says="run prints nothing; one line an epoch was asked for.",
    old="        print(line, flush=True)\n", new="",
    not_nameable="what is printed is no answer, and the diagnosis compares answers",
)
edit(
    "prints_every_step", "train_epoch", killed_by=["38.H22"],
    says="A line for every step is printed; one an epoch was asked for.",
    old="            loss.backward()", new="            print(loss)\n            loss.backward()",
    not_nameable="what is printed is no answer, and the diagnosis compares answers",
)
edit(
    "weights_gone_wrong", "run", killed_by=["38.H21", "38.H23"],
    says="The weights are not finite.",
    old="value.numpy().copy()", new="value.numpy() * np.float32(np.nan)",
    not_nameable="a whole training is judged by its outcome, and not asked again of every mistake",
)
