"""Section 19: what people get wrong."""

import math

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# max_stable_lr

edit(
    "one_over_lambda",
    "max_stable_lr",
    says="Steps stay stable up to 2 over the largest eigenvalue. 1 over it is where the steepest direction arrives in one step.",
    killed_by=["19.H1"],
    old="2 /",
    new="1 /",
)
edit(
    "uses_trace",
    "max_stable_lr",
    says="You added up the curvatures of all directions. The steepest direction decides alone.",
    killed_by=["19.H1"],
    old="np.linalg.eigvalsh(H)[-1]",
    new="np.trace(H)",
)
edit(
    "smallest_curvature",
    "max_stable_lr",
    says="You took the smallest eigenvalue. The flattest direction bears the largest rates; the steepest sets the limit.",
    killed_by=["19.H1"],
    old="[-1]",
    new="[0]",
)
edit(
    "largest_on_the_diagonal",
    "max_stable_lr",
    says="The largest entry of the diagonal is the largest curvature along an axis. The steepest direction may lie between the axes.",
    killed_by=["19.H1"],
    old="np.linalg.eigvalsh(H)[-1]",
    new="np.diag(H).max()",
)
edit(
    "frobenius_norm",
    "max_stable_lr",
    says="np.linalg.norm of a matrix is by default the root of the sum of all squares, not the largest eigenvalue.",
    killed_by=["19.H1"],
    old="np.linalg.eigvalsh(H)[-1]",
    new="np.linalg.norm(H)",
)

# judge

edit(
    "judge_nan",
    "judge",
    says="NaN is the clearest sign of a rate that is too high. Every comparison with it is false, so ask for it first.",
    killed_by=["19.H3"],
    old="not np.isfinite(losses).all()",
    new="np.isinf(losses).any()",
)
edit(
    "judge_inf",
    "judge",
    says="An infinite loss means that the rate was too high, as NaN does. Ask for numbers that are not finite.",
    killed_by=["19.H3"],
    old="not np.isfinite(losses).all()",
    new="np.isnan(losses).any()",
)
edit(
    "judge_neither",
    "judge",
    says="A loss that is NaN or infinite means too high, wherever it stands. Comparisons do not notice it: ask for numbers that are not finite, first of all.",
    killed_by=["19.H3"],
    old="not np.isfinite(losses).all() or ",
    new="",
)
edit(
    "rises_ignored",
    "judge",
    says="You compare only the ends. A curve that rises in more than 30 % of its steps was too high as well.",
    killed_by=["19.H3", "19.H15"],
    old="rises > 0.3 * steps",
    new="False",
)
edit(
    "end_ignored",
    "judge",
    says="A curve that ends higher than it began was too high, however few its rises.",
    killed_by=["19.H3"],
    old=" or last > first",
    new="",
)
edit(
    "share_of_losses",
    "judge",
    says="T losses make T - 1 steps: the share of rises is taken of the steps.",
    killed_by=["19.H3"],
    old="len(losses) - 1",
    new="len(losses)",
)
edit(
    "exactly_thirty",
    "judge",
    says="Exactly 30 % of rises is still allowed: too high are more than 30 %.",
    killed_by=["19.H3"],
    old="rises > 0.3 * steps",
    new="rises >= 0.3 * steps and rises",
)
edit(
    "standing_still_rises",
    "judge",
    says="A step in which the loss stays equal is no rise.",
    killed_by=["19.H3"],
    old="losses[1:] > losses[:-1]",
    new="losses[1:] >= losses[:-1]",
)
edit(
    "absolute_fall",
    "judge",
    says="10 % of the first loss is asked for, not a fall of 0.1: a loss may be in thousands or in thousandths.",
    killed_by=["19.H3"],
    old="0.1 * first",
    new="0.1",
)


@mistake(
    "judge",
    says="A curve that climbs has also fallen by less than 10 %. Ask for 'too high' first.",
    killed_by=["19.H3"],
)
def low_before_high(losses):
    if not np.isfinite(losses).all():
        return "too high"
    if losses[0] - losses[-1] < 0.1 * losses[0]:
        return "too low"
    return "too high" if np.mean(np.diff(losses) > 0) > 0.3 else "just right"


@mistake(
    "judge",
    says="One single loss makes no step, so there is nothing to divide by. It has not fallen: too low.",
    killed_by=["19.H3"],
)
def one_loss_divides_by_zero(losses):
    if not np.isfinite(losses).all() or losses[-1] > losses[0]:
        return "too high"
    if int(np.count_nonzero(np.diff(losses) > 0)) / (len(losses) - 1) > 0.3:
        return "too high"
    return "too low" if losses[0] - losses[-1] < 0.1 * losses[0] else "just right"


# schedule: step and exponential

edit(
    "step_from_one",
    "schedule",
    says="Your staircase changes one step late. At t = every the factor applies once.",
    killed_by=["19.H2"],
    old='(t // p["every"])',
    new='(max(t - 1, 0) // p["every"])',
)
edit(
    "step_early",
    "schedule",
    says="Your staircase changes one step early. Steps are counted from 0: the first `every` of them have the rate base.",
    killed_by=["19.H2"],
    old='(t // p["every"])',
    new='((t + 1) // p["every"])',
)
edit(
    "step_slides",
    "schedule",
    says="t / every makes a slide of the staircase. Only whole stretches count: t // every.",
    killed_by=["19.H2"],
    old='(t // p["every"])',
    new='(t / p["every"])',
)
edit(
    "step_once",
    "schedule",
    says="Your staircase has one step only. The factor applies again at 2 every, at 3 every, and so on.",
    killed_by=["19.H2"],
    old='(t // p["every"])',
    new='min(t // p["every"], 1)',
)
edit(
    "exponential_of_e",
    "schedule",
    says="You took e to the power of -decay t. Here decay is the factor itself: 0.9 means times 0.9 after each step.",
    killed_by=["19.H2"],
    old='base * p["decay"] ** t',
    new='base * math.exp(-p["decay"] * t)',
)
edit(
    "exponential_starts_decayed",
    "schedule",
    says="At t = 0 the rate is base: the first decay comes after the first step.",
    killed_by=["19.H2"],
    old='base * p["decay"] ** t',
    new='base * p["decay"] ** (t + 1)',
)

# schedule: cosine and warmup

edit(
    "cosine_period",
    "_half_a_cosine",
    says="A full cosine comes back up. Half a one is wanted: the angle goes from 0 to pi.",
    killed_by=["19.H9", "19.H6"],
    old="math.pi * t / total",
    new="2 * math.pi * t / total",
)
edit(
    "no_clamp",
    "_half_a_cosine",
    says="Behind the end your cosine comes back up. Stay at min_lr.",
    killed_by=["19.H9"],
    old="t >= total",
    new="total == 0",
)
edit(
    "min_lr_ignored",
    "_half_a_cosine",
    says="Your cosine goes down to 0 and not to min_lr.",
    killed_by=["19.H9", "19.H6"],
    old="return min_lr + 0.5 * (base - min_lr)",
    new="return 0.5 * base",
)
edit(
    "min_lr_on_top",
    "_half_a_cosine",
    says="Your cosine begins above base: what swings is base - min_lr, with min_lr added.",
    killed_by=["19.H9", "19.H6"],
    old="(base - min_lr)",
    new="base",
)
edit(
    "min_lr_as_floor",
    "_half_a_cosine",
    says="You cut a cosine to 0 off at min_lr. The curve itself has to end there: it swings between base and min_lr.",
    killed_by=["19.H9", "19.H6"],
    old="min_lr + 0.5 * (base - min_lr) * (1 + math.cos(math.pi * t / total))",
    new="max(min_lr, 0.5 * base * (1 + math.cos(math.pi * t / total)))",
)
edit(
    "cosine_one_short",
    "_half_a_cosine",
    says="Your cosine is at min_lr one step early: t = total is the end, not total - 1.",
    killed_by=["19.H9", "19.H6"],
    old="math.pi * t / total",
    new="math.pi * t / max(total - 1, 1)",
)
edit(
    "warmup_starts_at_base",
    "schedule",
    says="Your warmup has the rate base from the start. It begins near 0 and grows in equal steps.",
    killed_by=["19.H10"],
    old="base * (t + 1) / (warmup + 1)",
    new="float(base)",
)
edit(
    "warmup_starts_at_zero",
    "schedule",
    says="With t / warmup the first rate is 0 and the first step is wasted. Here the first rate is base / (warmup + 1).",
    killed_by=["19.H10"],
    old="base * (t + 1) / (warmup + 1)",
    new="base * t / warmup",
)
edit(
    "warmup_arrives_early",
    "schedule",
    says="Your warmup is at base one step before it ends. It arrives there at t = warmup.",
    killed_by=["19.H10"],
    old="base * (t + 1) / (warmup + 1)",
    new="base * (t + 1) / warmup",
)
edit(
    "warmup_from_min_lr",
    "schedule",
    says="Your warmup starts from min_lr. It starts from near 0: min_lr is the end of the cosine.",
    killed_by=["19.H10"],
    old="base * (t + 1) / (warmup + 1)",
    new='p["min_lr"] + (base - p["min_lr"]) * (t + 1) / (warmup + 1)',
)
edit(
    "cosine_not_shifted",
    "schedule",
    says="At the end of the warmup your rate jumps: the cosine has been running since t = 0. It starts at t = warmup.",
    killed_by=["19.H10"],
    old='_half_a_cosine(t - warmup, total - warmup, base, p["min_lr"])',
    new='_half_a_cosine(t, total, base, p["min_lr"])',
)
edit(
    "cosine_not_shortened",
    "schedule",
    says="total counts the warmup too, so the cosine has total - warmup steps. Yours ends too late.",
    killed_by=["19.H10"],
    old="total - warmup, base",
    new="total, base",
)


@mistake(
    "schedule",
    says="With warmup = total no step is left for the cosine, and your code divides by 0.",
    killed_by=["19.H10"],
)
def nothing_left_for_the_cosine(kind, t, base, **p):
    if t < 0 or not base > 0:
        raise ValueError("t or base")
    if kind == "constant":
        return float(base)
    if kind == "step":
        _check_factor(p["factor"])
        return base * p["factor"] ** (t // p["every"])
    if kind == "exponential":
        return base * p["decay"] ** t
    if kind == "cosine":
        return _half_a_cosine(t, p["total"], base, p["min_lr"])
    if kind == "warmup_cosine":
        if p["warmup"] > p["total"]:
            raise ValueError("warmup")
        if t < p["warmup"]:
            return base * (t + 1) / (p["warmup"] + 1)
        done = min(1.0, (t - p["warmup"]) / (p["total"] - p["warmup"]))
        return p["min_lr"] + 0.5 * (base - p["min_lr"]) * (1 + math.cos(math.pi * done))
    raise ValueError("kind")


edit(
    "negative_t",
    "schedule",
    says="There is no step -1. Raise ValueError, naming t.",
    killed_by=["19.H8"],
    old="t < 0",
    new="False",
)
edit(
    "any_base",
    "schedule",
    says="A rate of 0 learns nothing and a negative one climbs. Raise ValueError, naming base.",
    killed_by=["19.H8"],
    old="not base > 0",
    new="False",
)
edit(
    "unknown_kind_is_constant",
    "schedule",
    says="A kind that there is not, perhaps a typing error, gives base. Raise ValueError, naming kind.",
    killed_by=["19.H8"],
    old='    raise ValueError(f"there is no kind {kind!r}")',
    new="    return float(base)",
)
edit(
    "warmup_unchecked",
    "schedule",
    says="A warmup longer than the total has to raise ValueError that names warmup.",
    killed_by=["19.H8"],
    old="warmup > total",
    new="False",
)
edit(
    "step_factor_unchecked",
    "schedule",
    says="A staircase with a factor outside of 0 to 1 does not go down. Raise ValueError, naming factor.",
    killed_by=["19.H8"],
    old='        _check_factor(p["factor"])\n',
    new="",
)

# ReduceOnPlateau

edit(
    "patience_off_by_one",
    "ReduceOnPlateau",
    says="You lower the rate one bad loss too early. Reduce when more than `patience` bad losses have come.",
    killed_by=["19.H4"],
    old="self.bad > self.patience",
    new="self.bad >= self.patience and self.bad",
)
edit(
    "plateau_compares_previous",
    "ReduceOnPlateau",
    says="You compare with the loss before. Compare with the best loss so far.",
    killed_by=["19.H4"],
    old="            self.bad += 1",
    new="            self.best, self.bad = loss, self.bad + 1",
)
edit(
    "best_creeps",
    "ReduceOnPlateau",
    says="A loss that is better by less than min_delta must not become the best, or small gains never add up to a good one.",
    killed_by=["19.H11"],
    old="            self.bad += 1",
    new="            self.best, self.bad = min(self.best, loss), self.bad + 1",
)
edit(
    "count_goes_on",
    "ReduceOnPlateau",
    says="After lowering the rate count the bad losses from 0 again. You lower it again at once.",
    killed_by=["19.H4"],
    old="self.lr, self.bad = max(self.lr * self.factor, self.min_lr), 0",
    new="self.lr = max(self.lr * self.factor, self.min_lr)",
)
edit(
    "good_loss_keeps_the_count",
    "ReduceOnPlateau",
    says="Bad losses are counted in a row: a good one sets the count back to 0.",
    killed_by=["19.H4"],
    old="self.best, self.bad = loss, 0\n",
    new="self.best = loss\n",
)
edit(
    "best_forgotten_when_lowering",
    "ReduceOnPlateau",
    says="Lowering the rate does not change what the best loss was. Keep it.",
    killed_by=["19.H4", "19.H13"],
    old="self.lr, self.bad = max(self.lr * self.factor, self.min_lr), 0",
    new="self.lr, self.bad, self.best = max(self.lr * self.factor, self.min_lr), 0, math.inf",
)
edit(
    "min_delta_ignored",
    "ReduceOnPlateau",
    says="min_delta changes nothing in your class. A good loss is less than best - min_delta.",
    killed_by=["19.H11"],
    old="self.best - self.min_delta",
    new="self.best",
)
edit(
    "min_delta_sign",
    "ReduceOnPlateau",
    says="You made it easier to be good. A good loss is better than the best by min_delta: less than best - min_delta.",
    killed_by=["19.H11"],
    old="self.best - self.min_delta",
    new="self.best + self.min_delta",
)
edit(
    "min_delta_relative",
    "ReduceOnPlateau",
    says="You took min_delta as a share of the best loss (PyTorch's default). Here it is in units of the loss.",
    killed_by=["19.H11"],
    old="self.best - self.min_delta",
    new="self.best * (1 - self.min_delta)",
)
edit(
    "equal_is_good",
    "ReduceOnPlateau",
    says="A loss equal to the best is no progress: it is bad.",
    killed_by=["19.H4"],
    old="loss < self.best",
    new="loss <= self.best",
)
edit(
    "nan_is_good",
    "ReduceOnPlateau",
    says="Every comparison with NaN is false, so NaN counts as good and becomes the best. Ask whether the loss is good, not whether it is bad.",
    killed_by=["19.H14"],
    old="loss < self.best - self.min_delta",
    new="not loss >= self.best - self.min_delta",
)
edit(
    "no_floor",
    "ReduceOnPlateau",
    says="The rate must never fall below min_lr.",
    killed_by=["19.H14"],
    old="max(self.lr * self.factor, self.min_lr)",
    new="self.lr * self.factor",
)
edit(
    "stops_above_the_floor",
    "ReduceOnPlateau",
    says="When the next reduction would lead below min_lr, the rate becomes min_lr. You leave it where it is.",
    killed_by=["19.H14"],
    old="max(self.lr * self.factor, self.min_lr)",
    new="self.lr * self.factor if self.lr * self.factor >= self.min_lr else self.lr",
)


@mistake(
    "ReduceOnPlateau",
    says="You return the rate as it was before this loss. Return the one for the next epoch.",
    killed_by=["19.H4"],
)
class returns_the_old_rate(ReduceOnPlateau):
    def step(self, loss):
        before = self.lr
        super().step(loss)
        return before


edit(
    "default_patience",
    "ReduceOnPlateau",
    says="The default patience is 2 (PyTorch's is 10).",
    killed_by=["19.H14"],
    old="patience: int = 2",
    new="patience: int = 10",
)
edit(
    "count_not_in_the_state",
    "ReduceOnPlateau",
    says="The count of bad losses belongs to the state, or a loaded object is too patient.",
    killed_by=["19.H12"],
    old='"bad": self.bad',
    new='"bad": 0',
)
edit(
    "loads_no_best",
    "ReduceOnPlateau",
    says="load_state has to take over the best loss too.",
    killed_by=["19.H12"],
    old='self.lr, self.best, self.bad = state["lr"], state["best"], state["bad"]',
    new='self.lr, self.bad = state["lr"], state["bad"]',
)
edit(
    "loads_no_count",
    "ReduceOnPlateau",
    says="load_state has to take over the count of bad losses too.",
    killed_by=["19.H12"],
    old='self.lr, self.best, self.bad = state["lr"], state["best"], state["bad"]',
    new='self.lr, self.best = state["lr"], state["best"]',
)
edit(
    "plateau_factor_unchecked",
    "ReduceOnPlateau",
    says="A factor outside of 0 to 1 never lowers the rate. Raise ValueError, naming factor, when the object is made.",
    killed_by=["19.H8"],
    old="        _check_factor(factor)\n",
    new="",
)
edit(
    "plateau_lr_unchecked",
    "ReduceOnPlateau",
    says="A rate of 0 or less has to raise ValueError that names lr, when the object is made.",
    killed_by=["19.H8"],
    old="not lr > 0",
    new="False",
)
edit(
    "factor_one_accepted",
    "_check_factor",
    says="A factor of exactly 0 or 1 is refused as well: the bounds are excluded.",
    killed_by=["19.H8"],
    old="0 < factor < 1",
    new="0 <= factor <= 1",
)

# lr_range_test

edit(
    "whole_curve",
    "lr_range_test",
    says="Your steepest fall may lie behind the minimum, where the loss falls from a height to which it had exploded. Only what comes before counts.",
    killed_by=["19.H5"],
    old="slopes = np.diff(losses[: lowest + 1]) / np.diff(np.log(lrs[: lowest + 1]))",
    new="slopes = np.diff(np.where(np.isfinite(losses), losses, 1e300)) / np.diff(np.log(lrs))",
)
edit(
    "rate_of_the_minimum",
    "lr_range_test",
    says="At the minimum the loss no longer falls: that rate is already too high. Wanted is the steepest fall before it.",
    killed_by=["19.H5"],
    old="lrs[np.argmin(slopes)]",
    new="lrs[lowest]",
)
edit(
    "plain_axis",
    "lr_range_test",
    says="Rates are compared by ratio: divide by the difference of their logarithms, not of the rates themselves.",
    killed_by=["19.H5"],
    old="np.log(lrs[: lowest + 1])",
    new="lrs[: lowest + 1]",
)
edit(
    "spacing_ignored",
    "lr_range_test",
    says="You took the largest drop between neighbours. The rates are not evenly spaced: divide by the distance of their logarithms.",
    killed_by=["19.H5"],
    old=" / np.diff(np.log(lrs[: lowest + 1]))",
    new="",
)
edit(
    "right_end",
    "lr_range_test",
    says="You returned the right end of the steepest stretch. The left one is asked for.",
    killed_by=["19.H5"],
    old="np.argmin(slopes)",
    new="np.argmin(slopes) + 1",
)
edit(
    "flattest_fall",
    "lr_range_test",
    says="Slopes of a fall are negative: the steepest is the smallest of them, not the largest.",
    killed_by=["19.H5"],
    old="np.argmin(slopes)",
    new="np.argmax(slopes)",
)
edit(
    "last_stretch_missing",
    "lr_range_test",
    says="The stretch that ends at the minimum belongs to the fall, too.",
    killed_by=["19.H5"],
    old="np.argmin(slopes)",
    new="np.argmin(slopes[:-1] if len(slopes) > 1 else slopes)",
)
edit(
    "log_of_the_losses",
    "lr_range_test",
    says="Only the rates are taken on a logarithmic axis. The losses are not.",
    killed_by=["19.H5"],
    old="np.diff(losses[: lowest + 1])",
    new="np.diff(np.log(losses[: lowest + 1]))",
)
edit(
    "first_small_minimum",
    "lr_range_test",
    says="You stop at the first loss that is smaller than its successor. With noise that is soon. Take the smallest of all.",
    killed_by=["19.H5"],
    old="    if lowest == 0:",
    new="    lowest = next((k for k in range(len(losses) - 1) if losses[k] < losses[k + 1]), lowest)\n    if lowest == 0:",
)
edit(
    "nan_is_the_minimum",
    "lr_range_test",
    says="np.argmin takes NaN for the smallest of all. Look for the smallest finite loss.",
    killed_by=["19.H5"],
    old="np.where(np.isfinite(losses), losses, np.inf)",
    new="losses",
)
edit(
    "centred_slopes",
    "lr_range_test",
    says="np.gradient mixes two neighbouring stretches. Take the slope of each stretch by itself and return its left end.",
    killed_by=["19.H5"],
    old="np.diff(losses[: lowest + 1]) / np.diff(np.log(lrs[: lowest + 1]))",
    new="np.gradient(losses[: lowest + 1], np.log(lrs[: lowest + 1]))",
)
edit(
    "losses_cleaned_in_place",
    "lr_range_test",
    says="You overwrite NaN in the caller's own losses. Work on a copy.",
    killed_by=["19.H7"],
    old="    lowest = int(",
    new="    losses[~np.isfinite(losses)] = np.inf\n    lowest = int(",
)
edit(
    "nothing_falls_accepted",
    "lr_range_test",
    says="When the first loss is the smallest, nothing falls and no rate is a good answer. Raise ValueError, naming losses.",
    killed_by=["19.H8"],
    old="    if lowest == 0:",
    new="    if lowest == 0:\n        return float(lrs[0])\n    if False:",
)
