"""Section 26: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# SGD

edit(
    "lr_inside_velocity",
    "SGD",
    says="You put lr into the velocity. As long as lr is constant that is the same, but v must collect gradients: lr "
    "multiplies the whole velocity at the moment of the step.",
    killed_by=["26.H1"],
    old="""memory["v"] + g  # collects gradients, not steps: lr may change at any time
        return w - self.lr * memory["v"]""",
    new="""memory["v"] + self.lr * g
        return w - memory["v"]""",
)
edit(
    "damped",
    "SGD",
    says="You weighed the new gradient with 1 - momentum. The velocity here is a sum, not an average: the full gradient "
    "is added.",
    killed_by=["26.H1"],
    old='memory["v"] + g  #',
    new='memory["v"] + (1 - self.momentum) * g  #',
)
edit(
    "nesterov_by_default",
    "SGD",
    says="You stepped along g + momentum * v, which is Nesterov's variant. Here the step is along v itself.",
    killed_by=["26.H1"],
    old='return w - self.lr * memory["v"]',
    new='return w - self.lr * (g + self.momentum * memory["v"])',
)
edit(
    "no_state",
    "SGD",
    says="The velocity starts at 0 in every step. It must persist from one step to the next: that is all momentum is.",
    killed_by=["26.H1", "26.H6"],
    old='memory["v"] = self.momentum * memory["v"] + g',
    new='memory["v"] = g',
)
edit(
    "velocity_is_the_last_gradient",
    "SGD",
    says="You stored the gradient instead of the velocity, so only one step back is remembered. Store what you stepped "
    "along.",
    killed_by=["26.H1"],
    old="""memory["v"] = self.momentum * memory["v"] + g  # collects gradients, not steps: lr may change at any time
        return w - self.lr * memory["v"]""",
    new="""step = self.momentum * memory["v"] + g
        memory["v"] = g
        return w - self.lr * step""",
)
edit(
    "sgd_decay_ignored",
    "SGD",
    says="weight_decay changes nothing in your SGD. It adds weight_decay * w to the gradient.",
    killed_by=["26.H1"],
    old="g = g + self.weight_decay * w",
    new="g = g + 0.0",
)
edit(
    "sgd_decay_sign",
    "SGD",
    says="Your weight decay pushes weights away from 0: the sign is wrong. Decay adds weight_decay * w to the gradient.",
    killed_by=["26.H1"],
    old="g + self.weight_decay * w",
    new="g - self.weight_decay * w",
)
edit(
    "sgd_decay_decoupled",
    "SGD",
    says="In SGD the decay belongs to the gradient and so enters the velocity. Only AdamW keeps it apart.",
    killed_by=["26.H1"],
    old="""g = g + self.weight_decay * w
        memory["v"]""",
    new="""w = w - self.lr * self.weight_decay * w
        memory["v"]""",
)
edit(
    "momentum_by_default",
    "SGD",
    says="SGD without a momentum argument must be plain gradient descent: the default is 0.",
    killed_by=["26.H9"],
    old="momentum: float = 0.0",
    new="momentum: float = 0.9",
)
edit(
    "accepts_any_momentum",
    "SGD",
    says="A momentum of 1 or more never lets go of an old gradient, and a negative one makes no sense: refuse both.",
    killed_by=["26.H10"],
    old='_fraction("momentum", momentum)',
    new="momentum",
)

# RMSProp

edit(
    "rms_sum",
    "RMSProp",
    says="You added up all squared gradients; that is Adagrad, whose steps only shrink. RMSProp uses a moving average.",
    killed_by=["26.H1"],
    old='self.alpha * memory["v"] + (1 - self.alpha) * g * g',
    new='memory["v"] + g * g',
)
edit(
    "rms_decay_swapped",
    "RMSProp",
    says="alpha and 1 - alpha changed places. alpha weighs the old average, 1 - alpha the new square.",
    killed_by=["26.H1"],
    old='self.alpha * memory["v"] + (1 - self.alpha) * g * g',
    new='(1 - self.alpha) * memory["v"] + self.alpha * g * g',
)
edit(
    "rms_no_root",
    "RMSProp",
    says="You divided by the average of the squares. Divide by its root, so that the units of the gradient cancel.",
    killed_by=["26.H1"],
    old='np.sqrt(memory["v"])',
    new='memory["v"]',
)
edit(
    "rms_eps_inside_root",
    "RMSProp",
    says="You added eps under the root. Here it is added to the root; with a tiny gradient that is a different step.",
    killed_by=["26.H1"],
    old='(np.sqrt(memory["v"]) + self.eps)',
    new='np.sqrt(memory["v"] + self.eps)',
)
edit(
    "rms_bias_correction",
    "RMSProp",
    says="You corrected the average for its start at 0. That is Adam's idea; RMSProp has no correction.",
    killed_by=["26.H1"],
    old='return w - self.lr * g / (np.sqrt(memory["v"]) + self.eps)',
    new="""memory["t"] += 1
        return w - self.lr * g / (np.sqrt(memory["v"] / (1 - self.alpha ** memory["t"])) + self.eps)""",
)
edit(
    "rms_divides_by_the_old_average",
    "RMSProp",
    says="You divided by the average as it was before this gradient. Update it first: at the first step it is still 0.",
    killed_by=["26.H1"],
    old="""memory["v"] = self.alpha * memory["v"] + (1 - self.alpha) * g * g
        return w - self.lr * g / (np.sqrt(memory["v"]) + self.eps)""",
    new="""old = memory["v"]
        memory["v"] = self.alpha * memory["v"] + (1 - self.alpha) * g * g
        return w - self.lr * g / (np.sqrt(old) + self.eps)""",
)
edit(
    "alpha_of_other_libraries",
    "RMSProp",
    says="Your RMSProp starts with alpha = 0.9, the default of some libraries. Here, as in torch, it is 0.99.",
    killed_by=["26.H9"],
    old="alpha: float = 0.99",
    new="alpha: float = 0.9",
)
edit(
    "accepts_any_alpha",
    "RMSProp",
    says="alpha is the share of the old average: refuse values outside [0, 1).",
    killed_by=["26.H10"],
    old='_fraction("alpha", alpha)',
    new="alpha",
)

# Adam

edit(
    "no_bias_correction",
    "Adam",
    says="m and v start at 0 and are too small for the first hundred steps. Divide each by 1 - beta**t.",
    killed_by=["26.H1"],
    old="""m = memory["m"] / (1 - beta1 ** memory["t"])
        v = memory["v"] / (1 - beta2 ** memory["t"])""",
    new="""m = memory["m"]
        v = memory["v"]""",
)
edit(
    "correct_m_only",
    "Adam",
    says="You corrected m but not v. The average of the squares starts at 0 too: divide it by 1 - beta2**t.",
    killed_by=["26.H1"],
    old='v = memory["v"] / (1 - beta2 ** memory["t"])',
    new='v = memory["v"]',
)
edit(
    "correct_v_only",
    "Adam",
    says="You corrected v but not m. The average of the gradients starts at 0 too: divide it by 1 - beta1**t.",
    killed_by=["26.H1"],
    old='m = memory["m"] / (1 - beta1 ** memory["t"])',
    new='m = memory["m"]',
)
edit(
    "correction_outside_the_root",
    "Adam",
    says="You divided the root of v by 1 - beta2**t. Correct v first and take the root of the corrected average.",
    killed_by=["26.H1"],
    old="""v = memory["v"] / (1 - beta2 ** memory["t"])
        return self.lr * m / (np.sqrt(v) + self.eps)""",
    new="""v = np.sqrt(memory["v"]) / (1 - beta2 ** memory["t"])
        return self.lr * m / (v + self.eps)""",
)
edit(
    "t_starts_at_0",
    "Adam",
    says="Your correction divides by 1 - beta**0 = 0 at the first step. The first step is t = 1: count before correcting.",
    killed_by=["26.H1"],
    old="""memory["t"] += 1
        memory["m"] = beta1 * memory["m"] + (1 - beta1) * g
        memory["v"] = beta2 * memory["v"] + (1 - beta2) * g * g
        # After t steps the weights of an average add up to 1 - beta**t. Dividing makes it a true average;
        # the raw one stays in memory.
        m = memory["m"] / (1 - beta1 ** memory["t"])
        v = memory["v"] / (1 - beta2 ** memory["t"])""",
    new="""memory["m"] = beta1 * memory["m"] + (1 - beta1) * g
        memory["v"] = beta2 * memory["v"] + (1 - beta2) * g * g
        m = memory["m"] / (1 - beta1 ** memory["t"])
        v = memory["v"] / (1 - beta2 ** memory["t"])
        memory["t"] += 1""",
)
edit(
    "t_stays_1",
    "Adam",
    says="Your correction is the same at every step: t stays 1. Every step of a parameter counts.",
    killed_by=["26.H1"],
    old='memory["t"] += 1',
    new='memory["t"] = 1',
)
edit(
    "eps_before_correction",
    "Adam",
    says="You added eps before the correction, so the correction enlarges it. Correct v, take the root, then add eps.",
    killed_by=["26.H1"],
    old="""v = memory["v"] / (1 - beta2 ** memory["t"])
        return self.lr * m / (np.sqrt(v) + self.eps)""",
    new="""v = memory["v"]
        return self.lr * m / ((np.sqrt(v) + self.eps) / np.sqrt(1 - beta2 ** memory["t"]))""",
)
edit(
    "adam_eps_inside_root",
    "Adam",
    says="You added eps under the root. Here it is added to the root of the corrected average.",
    killed_by=["26.H1"],
    old="(np.sqrt(v) + self.eps)",
    new="np.sqrt(v + self.eps)",
)
edit(
    "corrected_stored",
    "Adam",
    says="You kept the corrected averages as the new m and v, so they are corrected again and again. Keep the raw ones.",
    killed_by=["26.H1"],
    old="return self.lr * m / (np.sqrt(v) + self.eps)",
    new="""memory["m"], memory["v"] = m, v
        return self.lr * m / (np.sqrt(v) + self.eps)""",
)
edit(
    "betas_swapped",
    "Adam",
    says="The two betas changed places. The first belongs to the average of gradients, the second to that of squares.",
    killed_by=["26.H1"],
    old="beta1, beta2 = self.betas",
    new="beta2, beta1 = self.betas",
)
edit(
    "adam_no_root",
    "Adam",
    says="You divided by the average of the squares. Divide by its root, so that the units of the gradient cancel.",
    killed_by=["26.H1"],
    old="np.sqrt(v)",
    new="v",
)
edit(
    "adam_divides_the_gradient",
    "Adam",
    says="You stepped along the gradient. Adam steps along its corrected average m.",
    killed_by=["26.H1"],
    old="return self.lr * m / (",
    new="return self.lr * g / (",
)
edit(
    "squares_the_average",
    "Adam",
    says="Your v averages the squares of m. It must average the squares of the gradients themselves.",
    killed_by=["26.H1"],
    old="(1 - beta2) * g * g",
    new='(1 - beta2) * memory["m"] * memory["m"]',
)
edit(
    "amsgrad",
    "Adam",
    says="You divide by the largest v so far. That is AMSGrad, an option in torch; plain Adam divides by the current one.",
    killed_by=["26.H1"],
    old='v = memory["v"] / (1 - beta2 ** memory["t"])',
    new="""memory["top"] = np.maximum(memory.get("top", 0.0), memory["v"])
        v = memory["top"] / (1 - beta2 ** memory["t"])""",
)
edit(
    "adam_decoupled",
    "Adam",
    says="Adam's weight_decay goes through the gradient, and so through m and v. Decay of the weight itself is AdamW.",
    killed_by=["26.H1"],
    old="return w - self._adapted(g + self.weight_decay * w, memory)",
    new="return (1 - self.lr * self.weight_decay) * w - self._adapted(g, memory)",
)
edit(
    "adam_decays_by_default",
    "Adam",
    says="Adam without a weight_decay argument must not decay: its default is 0. Only AdamW's is 0.01.",
    killed_by=["26.H9"],
    old="weight_decay: float = 0.0",
    new="weight_decay: float = 0.01",
)
edit(
    "eps_of_other_libraries",
    "Adam",
    says="Your Adam starts with eps = 1e-7, the default of some libraries. Here, as in torch, it is 1e-8.",
    killed_by=["26.H9"],
    old="eps: float = 1e-8",
    new="eps: float = 1e-7",
)
edit(
    "accepts_any_beta",
    "Adam",
    says="With a beta of 1 the correction divides by 0. Refuse betas outside [0, 1), both of them.",
    killed_by=["26.H10"],
    old='tuple(_fraction("betas", beta) for beta in betas)',
    new="tuple(betas)",
)
edit(
    "loops_over_entries",
    "Adam",
    says="You go through the entries one by one in Python. numpy does the same arithmetic for a whole array at once.",
    killed_by=["26.H8"],
    old="return self.lr * m / (np.sqrt(v) + self.eps)",
    new="""moved = np.empty_like(g)
        for i in np.ndindex(g.shape):
            moved[i] = self.lr * m[i] / (v[i] ** 0.5 + self.eps)
        return moved""",
    not_nameable="the numbers are right; only the clock tells",
)

# AdamW

edit(
    "adamw_coupled",
    "AdamW",
    says="Your decay goes through the gradient, so that weights with large gradients hardly decay: that is Adam. AdamW "
    "decays the weight itself.",
    killed_by=["26.H1"],
    old="(1 - self.lr * self.weight_decay) * w - self._adapted(g, memory)",
    new="w - self._adapted(g + self.weight_decay * w, memory)",
)
edit(
    "decay_without_lr",
    "AdamW",
    says="The weight shrinks by weight_decay in every step. It must shrink by lr * weight_decay.",
    killed_by=["26.H1"],
    old="(1 - self.lr * self.weight_decay) * w",
    new="(1 - self.weight_decay) * w",
)
edit(
    "decay_after_step",
    "AdamW",
    says="You stepped first and shrank the result. Decay the old weight, then step.",
    killed_by=["26.H1"],
    old="(1 - self.lr * self.weight_decay) * w - self._adapted(g, memory)",
    new="(1 - self.lr * self.weight_decay) * (w - self._adapted(g, memory))",
)
edit(
    "decay_divided_by_the_root",
    "AdamW",
    says="The decay is divided by the root of v, like the gradient. Decoupled means: outside that division, times lr only.",
    killed_by=["26.H1"],
    old="return (1 - self.lr * self.weight_decay) * w - self._adapted(g, memory)",
    new="""step = self._adapted(g, memory)
        v = memory["v"] / (1 - self.betas[1] ** memory["t"])
        return w - step - self.lr * self.weight_decay * w / (np.sqrt(v) + self.eps)""",
)
edit(
    "adamw_without_decay",
    "AdamW",
    says="AdamW without a weight_decay argument decays by 0.01: that is its default, unlike Adam's 0.",
    killed_by=["26.H9"],
    old="weight_decay: float = 0.01",
    new="weight_decay: float = 0.0",
)

# What the four have in common

edit(
    "mutates_params",
    "Optimizer",
    says="step wrote into the arrays it was given. Return new arrays; whoever holds the old ones still needs them.",
    killed_by=["26.H5"],
    old="moved[name] = self._move(w, g, self._memory[name])",
    new="w[...] = self._move(w, g, self._memory[name])\n                moved[name] = w",
)
edit(
    "returns_the_same_array",
    "Optimizer",
    says="A parameter without gradient comes back as the very array that was given. Return a copy of it.",
    killed_by=["26.H5"],
    old="moved[name] = w.copy()",
    new="moved[name] = w",
)


edit(
    "shared_state",
    "Optimizer",
    says="All parameters share one memory, so each is pushed by the gradients of the others. Keep one per name.",
    killed_by=["26.H2"],
    old="""if name not in self._memory:
                    self._memory[name] = {"t": 0, **{key: np.zeros_like(w) for key in self.buffers}}
                moved[name] = self._move(w, g, self._memory[name])""",
    new="""if not self._memory:
                    self._memory["all"] = {"t": 0, **{key: np.zeros_like(w) for key in self.buffers}}
                moved[name] = self._move(w, g, self._memory["all"])""",
)
edit(
    "by_position",
    "Optimizer",
    says="You paired parameters and gradients by their place in the dicts. They belong together by name.",
    killed_by=["26.H2"],
    old="""        moved = {}
        for name""",
    new="""        grads = dict(zip(weights, grads.values()))
        moved = {}
        for name""",
)
edit(
    "missing_means_zero",
    "Optimizer",
    says="You treated a missing gradient as a gradient of 0: averages fade, momentum rolls on, decay pulls. Without a "
    "gradient a parameter and its memory stay as they are.",
    killed_by=["26.H3"],
    old="""        moved = {}
        for name""",
    new="""        grads = {**{name: np.zeros_like(w) for name, w in weights.items()}, **grads}
        moved = {}
        for name""",
)
edit(
    "drops_the_skipped",
    "Optimizer",
    says="Parameters without a gradient are missing from what step returns. Return all of them.",
    killed_by=["26.H3"],
    old="moved[name] = w.copy()",
    new="pass",
)
edit(
    "one_clock",
    "Optimizer",
    says="One count of steps serves all parameters, so one that joins late or is skipped gets a wrong correction. Count "
    "per parameter.",
    killed_by=["26.H3"],
    old="""        moved = {}
        for name, w in weights.items():
            if name in grads:
                g = np.asarray(grads[name], dtype=w.dtype)
                if name not in self._memory:
                    self._memory[name] = {"t": 0, **{key: np.zeros_like(w) for key in self.buffers}}
""",
    new="""        moved = {}
        clock = max((slots["t"] for slots in self._memory.values()), default=0)
        for name, w in weights.items():
            if name in grads:
                g = np.asarray(grads[name], dtype=w.dtype)
                if name not in self._memory:
                    self._memory[name] = {"t": 0, **{key: np.zeros_like(w) for key in self.buffers}}
                self._memory[name]["t"] = clock
""",
)


@mistake(
    "Adam",
    says="After load_state the correction starts again at t = 1. The counts of steps belong to the state.",
    killed_by=["26.H4"],
)
class state_without_t(Adam):
    def state(self):
        return {name: {"m": np.copy(s["m"]), "v": np.copy(s["v"])} for name, s in self._memory.items()}

    def load_state(self, state):
        self._memory = {name: {"t": 0, **slots} for name, slots in state.items()}


edit(
    "load_state_adds",
    "Optimizer",
    says="load_state keeps what the optimizer remembered before, for names that the new state lacks. Replace all of it.",
    killed_by=["26.H4"],
    old="self._memory = _copied(state)",
    new="self._memory.update(_copied(state))",
)
edit(
    "state_without_memory",
    "Optimizer",
    says="Your state holds the settings only. What must survive are the averages and the counts of steps.",
    killed_by=["26.H4"],
    old="return _copied(self._memory)",
    new="return {}",
)
edit(
    "state_is_an_object",
    "Optimizer",
    says="state() returned an object of a class of its own. Return plain data, which can be saved to a file.",
    killed_by=["26.H4"],
    old="return _copied(self._memory)",
    new="return type('State', (), {'items': _copied(self._memory).items})()",
)
edit(
    "state_hands_over_and_forgets",
    "Optimizer",
    says="After state() the optimizer has lost its own memory. Saving must not disturb the run: hand out a copy.",
    killed_by=["26.H4"],
    old="return _copied(self._memory)",
    new="memory, self._memory = self._memory, {}\n        return memory",
)
edit(
    "float64_memory",
    "Optimizer",
    says="float32 parameters come back as float64. They must stay float32: every array that you create for a parameter "
    "needs its dtype.",
    killed_by=["26.H7"],
    old="np.zeros_like(w)",
    new="np.zeros(w.shape)",
)
edit(
    "integers_stay_integers",
    "Optimizer",
    says="Integer parameters came back as integers and lost their fractions. Turn them into float64 first.",
    killed_by=["26.H7"],
    old="moved[name] = self._move(w, g, self._memory[name])",
    new="moved[name] = self._move(w, g, self._memory[name]).astype(np.asarray(params[name]).dtype)",
)
edit(
    "lr_frozen",
    "Optimizer",
    says="Your optimizer goes on with the lr it started with. A schedule sets opt.lr between steps: read it anew in each.",
    killed_by=["26.H1"],
    old="weights = {name: _floating(w) for name, w in params.items()}",
    new="""self.lr = self.__dict__.setdefault("first_lr", self.lr)
        weights = {name: _floating(w) for name, w in params.items()}""",
)
edit(
    "accepts_any_lr",
    "Optimizer",
    says="An lr of 0 never moves and a negative one climbs: refuse both when the optimizer is made.",
    killed_by=["26.H10"],
    old="if not lr > 0:",
    new="if lr is None:",
)
edit(
    "accepts_lr_0",
    "Optimizer",
    says="You refuse a negative lr but accept 0, with which nothing is ever learned. lr must be greater than 0.",
    killed_by=["26.H10"],
    old="if not lr > 0:",
    new="if not lr >= 0:",
)
edit(
    "ignores_unknown_gradients",
    "Optimizer",
    says="A gradient whose name no parameter has was passed over. It is most likely a typing error: refuse it.",
    killed_by=["26.H10"],
    old='raise ValueError(f"grads has {name!r}, params has not")',
    new="continue",
)
edit(
    "broadcasts_gradients",
    "Optimizer",
    says="A gradient of another shape was stretched to fit. Refuse it: numpy's broadcasting hides a bug here.",
    killed_by=["26.H10"],
    old="if np.shape(g) != weights[name].shape:",
    new="if False:",
)
edit(
    "half_a_step",
    "Optimizer",
    says="You refused the bad gradient after other parameters had already been remembered. Check everything first: a "
    "refused step must leave no trace.",
    killed_by=["26.H10"],
    old="""            if np.shape(g) != weights[name].shape:
                raise ValueError(f"grads[{name!r}] has shape {np.shape(g)}, its parameter {weights[name].shape}")
        moved = {}
        for name, w in weights.items():
            if name in grads:
""",
    new="""        moved = {}
        for name, w in weights.items():
            if name in grads:
                if np.shape(grads[name]) != w.shape:
                    raise ValueError(f"grads[{name!r}] has the shape {np.shape(grads[name])}, not {w.shape}")
""",
)
