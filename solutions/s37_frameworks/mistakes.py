"""Section 37: what people get wrong."""

import numpy as np
import torch
from torch import nn

from nnkit.grader.mistakes import edit, mistake

# numpy

edit(
    "sum_instead_of_mean",
    "numpy_loss_grads",
    says="Your numpy loss adds up over the samples; torch's cross_entropy averages. Divide loss and gradients by N.",
    killed_by=["37.H1"],
    old="""loss = -log_p[rows, y].mean()

    delta = np.exp(log_p)
    delta[rows, y] -= 1
    delta /= len(y)""",
    new="""loss = -log_p[rows, y].sum()

    delta = np.exp(log_p)
    delta[rows, y] -= 1""",
)
edit(
    "gradient_of_the_sum",
    "numpy_loss_grads",
    says="Your numpy loss is a mean, its gradients are those of a sum: N times too large.",
    killed_by=["37.H1"],
    old="delta /= len(y)",
    new="pass",
)
edit(
    "divides_twice",
    "numpy_loss_grads",
    says="You divided by N twice: the gradient of the loss already has it, so the bias gradient is a plain sum.",
    killed_by=["37.H1"],
    old="delta.sum(axis=0)",
    new="delta.mean(axis=0)",
)
edit(
    "forgets_the_slope",
    "numpy_loss_grads",
    says="On the way back through a ReLU the gradient passes only where the ReLU let something through.",
    killed_by=["37.H1"],
    old="(delta @ W) * (A > 0)",
    new="delta @ W",
)
edit(
    "relu_on_the_logits",
    "numpy_loss_grads",
    says="Your numpy network has a ReLU after the last layer too. Logits may be negative.",
    killed_by=["37.H1"],
    old="shifted = Z - Z.max(",
    new="shifted = A - A.max(",
)
edit(
    "naive_softmax",
    "numpy_loss_grads",
    says="exp of a large logit overflows. Subtract each row's maximum before exp; the softmax stays the same.",
    killed_by=["37.H7"],
    old="shifted = Z - Z.max(axis=1, keepdims=True)  # exp of at most 0 cannot overflow",
    new="shifted = Z",
)
edit(
    "log_of_a_probability",
    "numpy_loss_grads",
    says="A probability can underflow to 0, and its log is then infinite. Compute the log of the softmax without the softmax.",
    killed_by=["37.H7"],
    old="""log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))""",
    new="""log_p = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))""",
)
edit(
    "one_maximum_for_all",
    "numpy_loss_grads",
    says="You subtracted the largest logit of the whole batch. In a row far below it every exp is 0: use each row's own.",
    killed_by=["37.H7"],
    old="Z.max(axis=1, keepdims=True)",
    new="Z.max()",
)
edit(
    "gradients_from_the_last",
    "numpy_loss_grads",
    says="Your gradients come in the order in which they are found, last layer first. Return them in the order of layers.",
    killed_by=["37.H1"],
    old="grads[::-1]",
    new="grads",
)
edit(
    "float64_whatever_comes",
    "numpy_loss_grads",
    says="numpy computed in float64 although the layers are float32. Convert the samples to the dtype of the layers.",
    killed_by=["37.H5"],
    old="A = np.asarray(X, dtype=layers[0][0].dtype)",
    new="""A = np.asarray(X, dtype=np.float64)""",
)
edit(
    "accepts_any_numpy_layers",
    "numpy_loss_grads",
    says="Layers that do not fit together must be refused before the computing starts, with a ValueError that says layers.",
    killed_by=["37.H8"],
    old="_check_chain(layers)",
    new="",
)

# torch

edit(
    "transposes_weights",
    "to_state_dict",
    says="nn.Linear stores its weight as (n_out, n_in), as the layers do: nothing is to be transposed.",
    killed_by=["37.H1", "37.H2"],
    old="torch.tensor(W)  #",
    new="torch.tensor(W.T)  #",
)
edit(
    "shares_memory",
    "to_state_dict",
    says="torch.from_numpy makes a tensor that looks at the same memory: whoever trains it changes the array. Copy.",
    killed_by=["37.H2"],
    old="""torch.tensor(W)  # unlike from_numpy, a copy
        state[f"{2 * i}.bias"] = torch.tensor(b)""",
    new="""torch.from_numpy(W)
        state[f"{2 * i}.bias"] = torch.from_numpy(b)""",
)
edit(
    "numbers_of_layers",
    "to_state_dict",
    says="The number in a key is the place in the Sequential, where every ReLU takes one too: 0, 2, 4, not 0, 1, 2.",
    killed_by=["37.H2"],
    old="""state[f"{2 * i}.weight"] = torch.tensor(W)  # unlike from_numpy, a copy
        state[f"{2 * i}.bias"]""",
    new="""state[f"{i}.weight"] = torch.tensor(W)
        state[f"{i}.bias"]""",
)
edit(
    "state_of_arrays",
    "to_state_dict",
    says="The values of your state dict are numpy arrays. load_state_dict wants tensors.",
    killed_by=["37.H2"],
    old="""torch.tensor(W)  # unlike from_numpy, a copy
        state[f"{2 * i}.bias"] = torch.tensor(b)""",
    new="""W.copy()
        state[f"{2 * i}.bias"] = b.copy()""",
)
edit(
    "float32_state",
    "to_state_dict",
    says="torch.FloatTensor and .float() are float32. torch.tensor of a float64 array keeps it.",
    killed_by=["37.H2", "37.H5"],
    old="""torch.tensor(W)  # unlike from_numpy, a copy
        state[f"{2 * i}.bias"] = torch.tensor(b)""",
    new="""torch.tensor(W).float()
        state[f"{2 * i}.bias"] = torch.tensor(b).float()""",
)
edit(
    "accepts_any_state_layers",
    "to_state_dict",
    says="to_state_dict takes layers that do not fit together. Refuse them with a ValueError that says layers.",
    killed_by=["37.H8"],
    old="_check_chain(layers)",
    new="",
)
edit(
    "float32_downcast",
    "build_torch",
    says="torch.tensor of a float64 array keeps its dtype, but nn.Linear makes float32 parameters unless you say dtype.",
    killed_by=["37.H5"],
    old=", dtype=dtype)",
    new=")",
)
edit(
    "relu_after_last",
    "build_torch",
    says="Your Sequential ends with a ReLU. The last layer gives logits, which may be negative.",
    killed_by=["37.H1", "37.H2"],
    old="modules[:-1]",
    new="modules",
)
edit(
    "no_relu",
    "build_torch",
    says="Your Sequential has no ReLU between its layers, so it is one affine map.",
    killed_by=["37.H1", "37.H2"],
    old="nn.ReLU()]",
    new="nn.Identity()]",
)
edit(
    "set_default_dtype",
    "build_torch",
    says="torch.set_default_dtype changes what every other piece of code gets from torch. Say dtype where you need it.",
    killed_by=["37.H6"],
    old="    modules = []\n",
    new="    modules = []\n    torch.set_default_dtype(dtype)\n",
    not_nameable="the setting outlives the call, so what is seen depends on the calls before",
)
edit(
    "draws_from_the_global_generator",
    "build_torch",
    says="nn.Linear draws start values and moves torch's global random state. Skip them (nn.utils.skip_init), or put the "
    "state back.",
    killed_by=["37.H6"],
    old="nn.utils.skip_init(nn.Linear, W.shape[1], W.shape[0], dtype=dtype)",
    new="nn.Linear(W.shape[1], W.shape[0], dtype=dtype)",
)
edit(
    "random_weights_remain",
    "build_torch",
    says="Your network keeps torch's random start values. Put the weights of the layers into it.",
    killed_by=["37.H1", "37.H2"],
    old="net.load_state_dict(to_state_dict(layers))",
    new="""with torch.random.fork_rng():
        torch.manual_seed(0)
        for linear in net[::2]:
            linear.reset_parameters()""",
)
edit(
    "weights_without_biases",
    "build_torch",
    says="Only the weights moved into your network; its biases are not those of the layers.",
    killed_by=["37.H1", "37.H2"],
    old="net.load_state_dict(to_state_dict(layers))",
    new="""net.load_state_dict({k: v if k.endswith("weight") else 0 * v for k, v in to_state_dict(layers).items()})""",
)
edit(
    "frozen_parameters",
    "build_torch",
    says="The parameters of your network do not ask for gradients: requires_grad is False, so nothing can be trained.",
    killed_by=["37.H5"],
    old="return net",
    new="return net.requires_grad_(False)",
    not_nameable="the numbers are right, and of errors only the type is compared",
)
edit(
    "returns_tensors",
    "torch_loss_grads",
    says="The gradients came back as tensors. Return numpy arrays: .detach().numpy(), and a copy of that.",
    killed_by=["37.H5"],
    old="(linear.weight.grad.numpy().copy(), linear.bias.grad.numpy().copy())",
    new="(linear.weight.grad, linear.bias.grad)",
)
edit(
    "loss_stays_a_tensor",
    "_backward",
    says="The loss came back as a tensor. Return a float: .item().",
    killed_by=["37.H5"],
    old="loss.item()",
    new="loss.detach()",
)
edit(
    "softmax_then_cross_entropy",
    "_backward",
    says="cross_entropy takes logits: it contains the softmax. Yours is applied twice.",
    killed_by=["37.H1", "37.H3"],
    old="cross_entropy(logits,",
    new="cross_entropy(logits.softmax(dim=1),",
)
edit(
    "log_of_torch_softmax",
    "_backward",
    says="The log of a softmax loses everything where a probability underflows to 0. cross_entropy does both at once.",
    killed_by=["37.H7"],
    old="nn.functional.cross_entropy(logits, torch.tensor(y))",
    new="nn.functional.nll_loss(logits.softmax(dim=1).log(), torch.tensor(y))",
)
edit(
    "torch_sum",
    "_backward",
    says="Your torch loss adds up over the samples; the loss here is their mean.",
    killed_by=["37.H1", "37.H3"],
    old="torch.tensor(y))",
    new='torch.tensor(y), reduction="sum")',
)
edit(
    "samples_keep_their_dtype",
    "_backward",
    says="Samples and weights of different dtypes do not multiply in torch. Convert the samples to the layers' dtype.",
    killed_by=["37.H5"],
    old="torch.tensor(X, dtype=net[0].weight.dtype)",
    new="torch.tensor(X)",
)
edit(
    "forgets_zero_grad",
    "_backward",
    says="backward adds to the gradients of the step before. Set them to zero before every backward.",
    killed_by=["37.H3"],
    old="net.zero_grad()",
    new="",
)

# the state dict, back

edit(
    "state_shares_memory",
    "from_state_dict",
    says="tensor.numpy() looks at the tensor's own memory, so training the network changes your layers. Copy.",
    killed_by=["37.H2"],
    old=".numpy().copy()",
    new=".numpy()",
)
edit(
    "transposes_back",
    "from_state_dict",
    says="The weights came back transposed. nn.Linear stores (n_out, n_in), as the layers do.",
    killed_by=["37.H2"],
    old=".numpy().copy()",
    new=".numpy().T.copy()",
)
edit(
    "layers_of_tensors",
    "from_state_dict",
    says="The layers came back as tensors. They are to be numpy arrays.",
    killed_by=["37.H2"],
    old=".numpy().copy()",
    new=".clone()",
)


@mistake(
    "from_state_dict",
    says="Sorted as text, 10.weight comes before 2.weight. Sort by the number.",
    killed_by=["37.H4"],
)
def string_sorted_keys(sd):
    numbers = sorted({key.split(".")[0] for key in sd})
    return [(sd[f"{i}.weight"].numpy().copy(), sd[f"{i}.bias"].numpy().copy()) for i in numbers]


@mistake(
    "from_state_dict",
    says="You took the keys in the order in which they came. A dict may come in any order: the number decides.",
    killed_by=["37.H4"],
)
def trusts_the_order(sd):
    numbers = dict.fromkeys(key.split(".")[0] for key in sd)
    return [(sd[f"{i}.weight"].numpy().copy(), sd[f"{i}.bias"].numpy().copy()) for i in numbers]


edit(
    "ignores_unexpected_keys",
    "from_state_dict",
    says="A key that belongs to no layer was passed over. Weights are lost that way: refuse it, and name it.",
    killed_by=["37.H8"],
    old="if unexpected or missing:",
    new="if missing:",
)


@mistake(
    "from_state_dict",
    says="You look only for keys up to the first gap. If 0 and 4 are there and 2 is not, keys are missing: name them.",
    killed_by=["37.H8"],
)
def stops_at_the_gap(sd):
    unexpected = [key for key in sd if not _is_key(key)]
    if unexpected:
        raise ValueError(f"sd has the unexpected keys {unexpected}")
    layers, i = [], 0
    while f"{i}.weight" in sd or f"{i}.bias" in sd:
        missing = [key for key in (f"{i}.weight", f"{i}.bias") if key not in sd]
        if missing:
            raise ValueError(f"sd lacks {missing}")
        layers.append((sd[f"{i}.weight"].numpy().copy(), sd[f"{i}.bias"].numpy().copy()))
        i += 2
    return layers


edit(
    "missing_key_error",
    "from_state_dict",
    says="A missing key ends in a KeyError from inside. Look at the keys first and raise a ValueError that names them.",
    killed_by=["37.H8"],
    old="if unexpected or missing:",
    new="if unexpected:",
)
edit(
    "says_only_wrong_keys",
    "from_state_dict",
    says="Your error does not say which key is wrong. Name every unexpected and every missing one.",
    killed_by=["37.H8"],
    old='f"sd has the unexpected keys {unexpected} and lacks {missing}"',
    new='"the keys of sd do not fit"',
    not_nameable="only the text of the error is wrong, and texts are not compared",
)

# training

edit(
    "update_in_graph",
    "train_both",
    says="An update in place of a parameter that autograd watches is refused by torch. Update under torch.no_grad().",
    killed_by=["37.H3"],
    old="with torch.no_grad():  # the update is no part of what is differentiated",
    new="if True:",
    not_nameable="an error of torch's own, of which only the type is compared",
)
edit(
    "update_rebinds",
    "train_both",
    says="p = p - lr * p.grad gives the name p to a new tensor; the network keeps its old one. Change it in place.",
    killed_by=["37.H3"],
    old="p.sub_(lr * p.grad)",
    new="p = p - lr * p.grad",
)
edit(
    "numpy_trains_the_argument",
    "train_both",
    says="The numpy half wrote into the caller's layers. Train on copies.",
    killed_by=["37.H3", "37.H6"],
    old="layers = [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(layers, grads, strict=True)]",
    new="""for (W, b), (dW, db) in zip(layers, grads, strict=True):
            W -= lr * dW
            b -= lr * db""",
)
edit(
    "climbs",
    "train_both",
    says="Your torch half climbs: the gradient points uphill, so it is subtracted.",
    killed_by=["37.H3"],
    old="p.sub_(lr * p.grad)",
    new="p += lr * p.grad",
)
edit(
    "numpy_biases_stay",
    "train_both",
    says="The numpy half moves only the weights. Biases are parameters too.",
    killed_by=["37.H3"],
    old="(W - lr * dW, b - lr * db)",
    new="(W - lr * dW, b)",
)
edit(
    "torch_biases_stay",
    "train_both",
    says="The torch half moves only the weights. net.parameters() has the biases too.",
    killed_by=["37.H3"],
    old="p.sub_(lr * p.grad)",
    new="p -= lr * p.grad * (p.ndim > 1)",
)
edit(
    "loss_after_the_step",
    "train_both",
    says="Your numpy curve shows the losses after each step. It starts with the loss of the untrained network.",
    killed_by=["37.H3"],
    old="losses[1, t] = _backward(net, X, y)",
    new="""losses[0, t] = numpy_loss_grads(X, y, layers)[0]
        losses[1, t] = _backward(net, X, y)""",
)
edit(
    "momentum_sneaks_in",
    "train_both",
    says="Your torch half remembers earlier gradients. Plain gradient descent has no memory.",
    killed_by=["37.H3"],
    old="p.sub_(lr * p.grad)",
    new="p.v = 0.9 * getattr(p, 'v', 0) + p.grad\n                p -= lr * p.v",
)
