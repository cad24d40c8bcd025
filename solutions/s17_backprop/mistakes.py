"""Section 17: what people get wrong."""

import math

import numpy as np
from nnkit.grader.mistakes import edit, mistake

# Value: the local slopes

edit(
    "subtraction_plus_slope",
    "Value",
    says="In a - b the slope for b is -1: when b grows, the difference shrinks.",
    killed_by=["17.H12"],
    old="(other, -1.0)",
    new="(other, 1.0)",
)
edit(
    "reversed_subtraction",
    "Value",
    says="2 - a arrives as a.__rsub__(2): the plain number stands on the left. You computed a - 2.",
    killed_by=["17.H4"],
    old="return _as_value(other) - self",
    new="return self - other",
)
edit(
    "reversed_division",
    "Value",
    says="2 / a arrives as a.__rtruediv__(2): the plain number is on top. You computed a / 2.",
    killed_by=["17.H4"],
    old="return _as_value(other) / self",
    new="return self / other",
)
edit(
    "product_own_factor",
    "Value",
    says="The slope of a * b for a is b, and for b it is a. You gave each factor itself.",
    killed_by=["17.H12"],
    old="(self, other.data), (other, self.data)",
    new="(self, self.data), (other, other.data)",
)
edit(
    "quotient_without_square",
    "Value",
    says="The slope of a / b for b is -a divided by the square of b.",
    killed_by=["17.H12"],
    old="-self.data / other.data**2",
    new="-self.data / other.data",
)
edit(
    "pow_rule",
    "Value",
    says="The derivative of x to the n is n times x to the n - 1. You left the exponent as it was.",
    killed_by=["17.H1"],
    old="self.data ** (exponent - 1)",
    new="self.data**exponent",
)
edit(
    "negative_slope_plus",
    "Value",
    says="The slope of -a is -1.",
    killed_by=["17.H12"],
    old="(self, -1.0)",
    new="(self, 1.0)",
)
edit(
    "tanh_slope_of_output_twice",
    "Value",
    says="You put the output through tanh once more for the slope. The output already is tanh(x): the slope is 1 minus its square.",
    killed_by=["17.H1"],
    old="1 - t * t",
    new="1 - math.tanh(t) ** 2",
)
edit(
    "relu_ge",
    "Value",
    says="The slope of relu at exactly 0 is taken as 0 here.",
    killed_by=["17.H4"],
    old="float(self.data > 0)",
    new="float(self.data >= 0)",
)
edit(
    "relu_lets_all_through",
    "Value",
    says="Where relu cuts off, its output does not depend on the input: the slope is 0 there, not 1.",
    killed_by=["17.H4"],
    old="float(self.data > 0)",
    new="1.0",
)
edit(
    "exp_slope_from_input",
    "Value",
    says="The exponential is its own derivative: the slope is the output e to the x, not the input x.",
    killed_by=["17.H12"],
    old="_made(e, (self, e))",
    new="_made(e, (self, self.data))",
)
edit(
    "log_slope_from_output",
    "Value",
    says="The slope of log at x is 1 / x, with the input x. You divided by the output.",
    killed_by=["17.H12"],
    old="1 / self.data)",
    new="1 / math.log(self.data))",
)

# Value: plain numbers, bad input

edit(
    "only_values",
    "Value",
    says="x * 2 and x + 2 fail: the other side may be a plain number. Make a Value of it first.",
    killed_by=["17.H4"],
    old="other = _as_value(other)\n        return _made(self.data * other.data",
    new="return _made(self.data * other.data",
)


@mistake(
    "Value",
    says="2 * x fails: Python asks the number first, which knows nothing of Value, and then x.__rmul__ and its kind.",
    killed_by=["17.H4"],
)
class not_from_the_left(Value):
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = None


edit(
    "value_as_exponent",
    "Value",
    says="With a Value as exponent another rule would be needed, and its slope gets lost in yours. Refuse it and name the exponent.",
    killed_by=["17.H10"],
    old="        if isinstance(exponent, Value):\n",
    new="        exponent = getattr(exponent, 'data', exponent)\n        if False:\n",
)
edit(
    "log_of_anything",
    "Value",
    says="The logarithm of 0 or less does not exist: raise a ValueError that says log. Infinity and NaN only hide the bug.",
    killed_by=["17.H10"],
    old="        if self.data <= 0:\n",
    new="        if self.data <= 0:\n            return _made(-math.inf if self.data == 0 else math.nan, (self, 0.0))\n        if False:\n",
)

# Value.backward


edit(
    "assign_not_accumulate",
    "Value",
    says="A value that is used twice receives two gradients: add them. You kept the last one.",
    killed_by=["17.H1"],
    old="slopes[parent] += ",
    new="slopes[parent] = ",
)
edit(
    "local_slopes_only",
    "Value",
    says="These are the local slopes. Each has to be multiplied by what has arrived at the result: that is the chain rule.",
    killed_by=["17.H1"],
    old="slopes[value] * slope",
    new="slope",
)


@mistake(
    "Value",
    says="A value passes on what it has so far before all its users have delivered, and then again: stale parts travel twice. Finish a value's sum before passing it on.",
    killed_by=["17.H2"],
)
class no_topological_order(Value):
    def backward(self):
        self.grad += 1.0
        stack = [self]
        while stack:
            value = stack.pop()
            for parent, slope in value._parents:
                parent.grad += value.grad * slope
                stack.append(parent)


@mistake(
    "Value",
    says="Level by level visits a value before all its users are done, when one of them lies a long way round. Order the graph: users first.",
    killed_by=["17.H2"],
)
class bfs_order(Value):
    def backward(self):
        order, seen = [self], {self}
        for value in order:
            for parent, _ in value._parents:
                if parent not in seen:
                    seen.add(parent)
                    order.append(parent)
        slopes = dict.fromkeys(order, 0.0)
        slopes[self] = 1.0
        for value in order:
            for parent, slope in value._parents:
                slopes[parent] += slopes[value] * slope
        for value, slope in slopes.items():
            value.grad += slope


@mistake(
    "Value",
    says="Your search is recursive, and Python stops at a depth of 1000. Keep a list of what is still to do instead.",
    killed_by=["17.H11"],
)
class recursive_order(Value):
    def backward(self):
        order, seen = [], set()

        def visit(value):
            if value not in seen:
                seen.add(value)
                for parent, _ in value._parents:
                    visit(parent)
                order.append(value)

        visit(self)
        slopes = dict.fromkeys(order, 0.0)
        slopes[self] = 1.0
        for value in reversed(order):
            for parent, slope in value._parents:
                slopes[parent] += slopes[value] * slope
        for value, slope in slopes.items():
            value.grad += slope


@mistake(
    "Value",
    says="The second backward passes on what the first has left in .grad of the results between. Let each pass keep sums of its own and add them at the end.",
    killed_by=["17.H2"],
)
class stale_second_pass(Value):
    def backward(self):
        self.grad = 1.0
        for value in _users_first(self):
            for parent, slope in value._parents:
                parent.grad += value.grad * slope


@mistake(
    "Value",
    says="Each backward of yours begins by setting the grads to 0. Calls add up: a second root must not wipe out what the first has brought.",
    killed_by=["17.H2"],
)
class forgets_the_first_root(Value):
    def backward(self):
        order = _users_first(self)
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in order:
            for parent, slope in value._parents:
                parent.grad += value.grad * slope


@mistake(
    "Value",
    says="In x * x both parents are the same Value. In a dict the second entry replaces the first, and half of the slope is lost.",
    killed_by=["17.H2"],
)
class parents_in_a_dict(Value):
    def backward(self):
        order = _users_first(self)
        slopes = dict.fromkeys(order, 0.0)
        slopes[self] = 1.0
        for value in order:
            for parent, slope in dict(value._parents).items():
                slopes[parent] += slopes[value] * slope
        for value, slope in slopes.items():
            value.grad += slope


@mistake(
    "Value",
    says="backward begins with d self / d self = 1. With the value itself instead of 1 everything is multiplied by it.",
    killed_by=["17.H1"],
)
class starts_with_the_value(Value):
    def backward(self):
        order = _users_first(self)
        slopes = dict.fromkeys(order, 0.0)
        slopes[self] = self.data
        for value in order:
            for parent, slope in value._parents:
                slopes[parent] += slopes[value] * slope
        for value, slope in slopes.items():
            value.grad += slope


@mistake(
    "Value",
    says="You walk along every single path, and there can be millions. Add up what arrives at a value, then visit it once.",
    killed_by=["17.H8"],
    not_nameable="gives the right values, only slowly",
)
class walks_every_path(Value):
    def backward(self):
        stack = [(self, 1.0)]
        while stack:
            value, arrived = stack.pop()
            value.grad += arrived
            stack.extend((parent, arrived * slope) for parent, slope in value._parents)


# backprop

edit(
    "bias_mean",
    "backprop",
    says="You averaged db over the batch. The 1/N is already in the gradient of the loss: sum.",
    killed_by=["17.H3"],
    old="delta.sum(axis=0)",
    new="delta.mean(axis=0)",
)
edit(
    "bias_sum_over_units",
    "backprop",
    says="db has one entry for every unit: sum delta over the samples, not over the units.",
    killed_by=["17.H3"],
    old="delta.sum(axis=0)",
    new="delta.sum(axis=1)",
)
edit(
    "bias_keeps_an_axis",
    "backprop",
    says="db must have the shape (n_out,) of b. Yours is a row of a matrix, (1, n_out).",
    killed_by=["17.H3"],
    old="delta.sum(axis=0)",
    new="delta.sum(axis=0, keepdims=True)",
)
edit(
    "weights_transposed",
    "backprop",
    says="dW must have the shape of W, (n_out, n_in): yours is transposed.",
    killed_by=["17.H3"],
    old="delta.T @ outputs[i]",
    new="outputs[i].T @ delta",
)
edit(
    "own_output_in_dw",
    "backprop",
    says="dW of a layer is made of its delta and of what came into the layer. You used what it put out.",
    killed_by=["17.H3"],
    old="delta.T @ outputs[i]",
    new="delta.T @ outputs[i + 1]",
)
edit(
    "back_through_the_transpose",
    "backprop",
    says="Forward multiplies by the transpose of W, so backward multiplies by W itself: delta @ W.",
    killed_by=["17.H3"],
    old="delta @ layers[i][0]",
    new="delta @ layers[i][0].T",
)
edit(
    "no_activation_slope",
    "backprop",
    says="Multiply by the slope f'(z) at every layer. Without it delta is the gradient for a, not for z.",
    killed_by=["17.H3"],
    old="upstream * SLOPES[activations[i]](outputs[i + 1])",
    new="upstream",
)
edit(
    "last_slope_forgotten",
    "backprop",
    says="The last layer has an activation as well. You left its slope out.",
    killed_by=["17.H3"],
    old="upstream * SLOPES[activations[i]](outputs[i + 1])",
    new="upstream * (SLOPES[activations[i]](outputs[i + 1]) if i < len(layers) - 1 else 1)",
)


@mistake(
    "backprop",
    says="1 - z squared is not the slope of tanh: it is 1 - a squared, with the output a.",
    killed_by=["17.H3"],
)
def slope_from_z(X, y, layers, activations, loss):
    return _with_slopes(X, y, layers, activations, loss, {"tanh": lambda z, a: 1 - z * z})


@mistake(
    "backprop",
    says="z (1 - z) is not the slope of the sigmoid: it is a (1 - a), with the output a.",
    killed_by=["17.H3"],
)
def sigmoid_slope_from_z(X, y, layers, activations, loss):
    return _with_slopes(X, y, layers, activations, loss, {"sigmoid": lambda z, a: z * (1 - z)})


@mistake(
    "backprop",
    says="The slope of relu at exactly 0 is taken as 0. Your network lets the gradient through there.",
    killed_by=["17.H4"],
)
def layer_relu_ge(X, y, layers, activations, loss):
    return _with_slopes(X, y, layers, activations, loss, {"relu": lambda z, a: (z >= 0).astype(z.dtype)})


def _with_slopes(X, y, layers, activations, loss, wrong):
    if wrong:
        _check_network(X, layers, activations)
    inputs, outputs = [None], [X]
    for (W, b), name in zip(layers, activations):
        inputs.append(outputs[-1] @ W.T + b)
        outputs.append(ACTIVATIONS[name](inputs[-1]))
    value, upstream = _loss_and_gradient(outputs[-1], y, loss)
    grads = []
    for i in reversed(range(min(len(layers), len(activations)))):
        name = activations[i]
        slope = wrong[name](inputs[i + 1], outputs[i + 1]) if name in wrong else SLOPES[name](outputs[i + 1])
        delta = upstream * slope
        grads.append((delta.T @ outputs[i], delta.sum(axis=0)))
        upstream = delta @ layers[i][0]
    return {"loss": value, "grads": grads[::-1], "dX": upstream}


edit(
    "updates_before_backward",
    "backprop",
    says="You stepped the weights before the gradient went on through them. Backpropagate with the weights of the forward pass.",
    killed_by=["17.H3", "17.H6"],
    old="delta @ layers[i][0]",
    new="delta @ (layers[i][0] - 0.1 * grads[-1][0])",
)
edit(
    "forward_without_bias",
    "backprop",
    says="Your forward pass leaves the biases out.",
    killed_by=["17.H3"],
    old="outputs[-1] @ W.T + b",
    new="outputs[-1] @ W.T",
)
edit(
    "last_layer_always_identity",
    "backprop",
    says="You gave the last layer no activation. It has the one that activations names.",
    killed_by=["17.H3"],
    old="for (W, b), name in zip(layers, activations, strict=True):",
    new="activations = [*activations[:-1], 'identity']\n    for (W, b), name in zip(layers, activations):",
)
edit(
    "grads_back_to_front",
    "backprop",
    says="You collected the gradients from the last layer to the first and returned them so. They belong in the order of the layers.",
    killed_by=["17.H3"],
    old="grads[::-1]",
    new="grads",
)
edit(
    "dx_stops_early",
    "backprop",
    says="dX is the gradient for the input itself. You stopped at the first layer's delta: it still has to pass W.",
    killed_by=["17.H3"],
    old='"dX": upstream',
    new='"dX": delta',
)
edit(
    "sum_loss",
    "_loss_and_gradient",
    says="You returned the mean as loss, but your gradient is that of the sum: divide it by the same number.",
    killed_by=["17.H3"],
    old="2 * error / error.size",
    new="2 * error",
)
edit(
    "squares_per_sample",
    "_loss_and_gradient",
    says="The squared error is a mean over all N * n_out elements. Your gradient is divided by N only.",
    killed_by=["17.H3"],
    old="2 * error / error.size",
    new="2 * error / n",
)
edit(
    "error_turned_round",
    "_loss_and_gradient",
    says="The gradient of the squared error is 2 (output - y). With y - output every gradient points the wrong way.",
    killed_by=["17.H3"],
    old="2 * error / error.size",
    new="-2 * error / error.size",
)
edit(
    "classes_sum_loss",
    "_loss_and_gradient",
    says="The cross-entropy is a mean over the samples. Its gradient is (softmax - one-hot) / N; your 1/N is missing.",
    killed_by=["17.H3"],
    old="upstream / n",
    new="upstream",
)
edit(
    "classes_without_target",
    "_loss_and_gradient",
    says="You sent the softmax back as it is. The gradient is softmax minus one-hot: take 1 away at the label.",
    killed_by=["17.H3"],
    old="upstream[np.arange(n), y] -= 1",
    new="pass",
)
edit(
    "classes_overflow",
    "_loss_and_gradient",
    says="exp of a logit of 1000 overflows. Subtract the largest logit of each row first (section 14).",
    killed_by=["17.H11"],
    old="out - out.max(axis=1, keepdims=True)",
    new="out",
)
edit(
    "sigmoid_overflow",
    "_sigmoid",
    says="exp(-z) overflows for z = -800. Take the sigmoid of section 12, which never sees a positive exponent.",
    killed_by=["17.H11"],
    old="np.where(z >= 0, 1, small) / (1 + small)",
    new="1 / (1 + np.exp(-z))",
)
edit(
    "one_hot_float64",
    "_loss_and_gradient",
    says="np.eye makes float64 rows, and with them every gradient of a float32 network becomes float64. Give it the dtype of the logits.",
    killed_by=["17.H9"],
    old="upstream[np.arange(n), y] -= 1",
    new="upstream = upstream - np.eye(out.shape[1])[y]",
)
edit(
    "relu_slope_float64",
    "backprop",
    says="A relu slope made of Python's 1.0 and 0.0 is float64, and with it every gradient below. Give it the dtype of the output.",
    killed_by=["17.H9"],
    old="upstream * SLOPES[activations[i]](outputs[i + 1])",
    new="upstream * (SLOPES[activations[i]](outputs[i + 1]) if activations[i] != 'relu' else (outputs[i + 1] > 0) * 1.0)",
)
edit(
    "strange_labels",
    "_loss_and_gradient",
    says="A label below 0 counts from the end in numpy and passes unnoticed. Refuse labels that no class has, and name y.",
    killed_by=["17.H10"],
    old=" or y.min() < 0",
    new="",
)
edit(
    "targets_stretched",
    "_loss_and_gradient",
    says="numpy stretches targets of another shape over the output, and the loss is about something else. Refuse them and name y.",
    killed_by=["17.H10"],
    old="        if y.shape != out.shape:\n",
    new="        if False:\n",
)
edit(
    "any_other_loss_is_cce",
    "_loss_and_gradient",
    says="There are two losses, mse and cce. Refuse any other name and say loss.",
    killed_by=["17.H10"],
    old='if loss == "cce":',
    new="if True:",
)
edit(
    "unchecked_widths",
    "_check_network",
    says="numpy stretches a bias of shape (1,) or (n_out, 1), and complains of other widths without naming them. Check every W and b first, and say layers.",
    killed_by=["17.H10"],
    old="W.shape[1] != width or b.shape != W.shape[:1]",
    new="False",
)


@mistake(
    "backprop",
    says="zip stops at the shorter list, so a missing activation drops a layer. Compare the lengths, and say activations.",
    killed_by=["17.H10"],
)
def unchecked_number_of_activations(X, y, layers, activations, loss):
    _check_network(X, layers, [*activations, *["identity"] * len(layers)][: len(layers)])
    return _with_slopes(X, y, layers, activations, loss, {})


edit(
    "unknown_activation",
    "_check_network",
    says="An activation that you do not know ends as a KeyError. Raise a ValueError that says activations.",
    killed_by=["17.H10"],
    old="unknown := set(activations) - set(ACTIVATIONS)",
    new="unknown := set()",
)


@mistake(
    "backprop",
    says="Your gradients are float64 whatever comes in. A float32 network has float32 gradients.",
    killed_by=["17.H9"],
)
def always_float64(X, y, layers, activations, loss):
    _check_network(X, layers, activations)
    layers = [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]
    outputs = [X.astype(np.float64)]
    for (W, b), name in zip(layers, activations):
        outputs.append(ACTIVATIONS[name](outputs[-1] @ W.T + b))
    value, upstream = _loss_and_gradient(outputs[-1], y, loss)
    grads = []
    for i in reversed(range(len(layers))):
        delta = upstream * SLOPES[activations[i]](outputs[i + 1])
        grads.append((delta.T @ outputs[i], delta.sum(axis=0)))
        upstream = delta @ layers[i][0]
    return {"loss": value, "grads": grads[::-1], "dX": upstream}


@mistake(
    "backprop",
    says="You go through the samples one by one in Python. A matrix product handles the whole batch at once.",
    killed_by=["17.H8"],
    not_nameable="gives the right values, only slowly",
)
def sample_by_sample(X, y, layers, activations, loss):
    _check_network(X, layers, activations)
    total, dX = 0.0, np.empty_like(X)
    grads = [(np.zeros_like(W), np.zeros_like(b)) for W, b in layers]
    for k in range(len(X)):
        outputs = [X[k : k + 1]]
        for (W, b), name in zip(layers, activations):
            outputs.append(ACTIVATIONS[name](outputs[-1] @ W.T + b))
        value, upstream = _loss_and_gradient(outputs[-1], y[k : k + 1], loss)
        total += value / len(X)
        for i in reversed(range(len(layers))):
            delta = upstream * SLOPES[activations[i]](outputs[i + 1])
            grads[i] = (grads[i][0] + delta.T @ outputs[i] / len(X), grads[i][1] + delta.sum(axis=0) / len(X))
            upstream = delta @ layers[i][0]
        dX[k] = upstream[0] / len(X)
    return {"loss": total, "grads": grads, "dX": dX}


# gradient_check

edit(
    "check_absolute",
    "gradient_check",
    says="You returned the absolute difference. Compare it with the size of the gradient: 0.001 is nothing for 1000 and everything for 0.001.",
    killed_by=["17.H5"],
    old="abs(a - n) / max(1e-8, abs(a) + abs(n))",
    new="abs(a - n)",
)
edit(
    "check_divides_by_claim",
    "gradient_check",
    says="You divided by the claimed gradient alone. Divide by |a| + |n|, so that a claim of 0 counts as wrong by 1.",
    killed_by=["17.H5"],
    old="abs(a) + abs(n)",
    new="abs(a)",
)
edit(
    "check_without_floor",
    "gradient_check",
    says="Where the gradient is 0 you divide 0 by 0. The divisor is at least 1e-8.",
    killed_by=["17.H5"],
    old="max(1e-8, abs(a) + abs(n))",
    new="(abs(a) + abs(n))",
)
edit(
    "check_one_sided",
    "gradient_check",
    says="You compared p + h with p. The central difference, p + h against p - h, is exact to the square of h.",
    killed_by=["17.H5"],
    old="around = []\n            for step in (h, -h):",
    new="around = []\n            for step in (2 * h, 0.0):",
)
edit(
    "check_divides_by_h",
    "gradient_check",
    says="The two points lie 2h apart. You divided by h.",
    killed_by=["17.H5"],
    old="(2 * h)",
    new="h",
)
edit(
    "check_ignores_h",
    "gradient_check",
    says="You always step by 1e-5. That is only the default: use the argument h.",
    killed_by=["17.H5"],
    old="    _, grads",
    new="    h = 1e-5\n    _, grads",
)
edit(
    "check_mean_error",
    "gradient_check",
    says="You averaged the errors. One wrong entry among many vanishes in a mean: return the largest.",
    killed_by=["17.H5"],
    old="worst = np.maximum(worst, error)",
    new="worst = worst + error / sum(q.size for q in params)",
)
edit(
    "check_first_parameter",
    "gradient_check",
    says="You checked the first array of params only.",
    killed_by=["17.H5"],
    old="enumerate(params)",
    new="enumerate(params[:1])",
)
edit(
    "check_first_ten",
    "gradient_check",
    says="You checked a few entries of each array. A single wrong one may be anywhere: check them all.",
    killed_by=["17.H11"],
    old="np.ndindex(p.shape)",
    new="list(np.ndindex(p.shape))[:10]",
)
edit(
    "check_forgives_nan",
    "gradient_check",
    says="Every comparison with NaN is false, so max(worst, NaN) keeps worst, and a broken gradient passes. Make NaN or infinity of it.",
    killed_by=["17.H5"],
    old="np.maximum(worst, error)",
    new="max(worst, error)",
)


@mistake(
    "gradient_check",
    says="p + h - 2h + h is not p again in floating point. Save the entry, or work on a copy.",
    killed_by=["17.H5"],
)
def check_drifts(loss_and_grad, params, h=1e-5):
    if not h > 0:
        raise ValueError("h must be greater than 0")
    _, grads = loss_and_grad(params)
    worst = 0.0
    for p, g in zip(params, grads):
        for index in np.ndindex(p.shape):
            p[index] += h
            above = loss_and_grad(params)[0]
            p[index] -= 2 * h
            below = loss_and_grad(params)[0]
            p[index] += h
            a, n = g[index], (above - below) / (2 * h)
            worst = np.maximum(worst, abs(a - n) / max(1e-8, abs(a) + abs(n)))
    return float(worst)


@mistake(
    "gradient_check",
    says="The entries that you have moved stay moved while you look at the next. Put each back before you go on.",
    killed_by=["17.H5"],
)
def check_leaves_entries_moved(loss_and_grad, params, h=1e-5):
    if not h > 0:
        raise ValueError("h must be greater than 0")
    _, grads = loss_and_grad(params)
    worst, moved = 0.0, [p.copy() for p in params]
    for p, q, g in zip(params, moved, grads):
        for index in np.ndindex(p.shape):
            q[index] = p[index] + h
            above = loss_and_grad(moved)[0]
            q[index] = p[index] - h
            below = loss_and_grad(moved)[0]
            a, n = g[index], (above - below) / (2 * h)
            worst = np.maximum(worst, abs(a - n) / max(1e-8, abs(a) + abs(n)))
    return float(worst)


edit(
    "check_any_step",
    "gradient_check",
    says="A step of 0 divides 0 by 0, and a negative one is an error of the caller's. Refuse both and name h.",
    killed_by=["17.H10"],
    old="if not h > 0:",
    new="if False:",
)

# sgd_update

edit(
    "ascent",
    "sgd_update",
    says="The gradient points uphill. Go against it: subtract.",
    killed_by=["17.H6", "17.H7"],
    old="(W - lr * dW, b - lr * db)",
    new="(W + lr * dW, b + lr * db)",
)
edit(
    "biases_stay",
    "sgd_update",
    says="Your biases do not move. They are parameters like the weights.",
    killed_by=["17.H6"],
    old="b - lr * db",
    new="b.copy()",
)


@mistake(
    "sgd_update",
    says="`W -= ...` changes the caller's layers. Return new arrays: W - lr * dW.",
    killed_by=["17.H6"],
)
def update_in_place(layers, grads, lr):
    for (W, b), (dW, db) in zip(layers, grads):
        W -= lr * dW
        b -= lr * db
    return layers


edit(
    "update_always_float64",
    "sgd_update",
    says="float32 layers stay float32: a learning rate that is a float64 array or NumPy number widens them.",
    killed_by=["17.H9"],
    old="(W - lr * dW, b - lr * db)",
    new="(W - np.float64(lr) * dW, b - np.float64(lr) * db)",
)
