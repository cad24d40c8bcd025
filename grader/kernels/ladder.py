"""The rungs of a kernel's ladder, and how a student's place on it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BAR = 40  # characters of the longest bar


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung: who takes at most so many times the reference's time stands on it."""

    name: str
    at_most: float
    share: float  # of the test's points


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a kernel stands, measured."""

    case: str
    rung: Rung | None
    ratio: float  # to the reference; at least so much where it was given up
    low: float
    high: float
    seconds: float  # of processor time of one call; an estimate where it was given up
    flops: float  # of one call
    peak: float  # of this machine, operations per second
    rounds: int
    given_up: bool = False
    suspicious: str = ""  # why it cannot go on a board before a person has looked
    against: str = "the reference's processor time"


def rungs(table: Mapping[str, tuple[float, float]]) -> tuple[Rung, ...]:
    """Read {name: (at most, share of the points)}; the best first."""
    made = (Rung(name, at_most, share) for name, (at_most, share) in table.items())
    return tuple(sorted(made, key=lambda rung: rung.at_most))


def worse(one: Standing, other: Standing) -> Standing:
    """The one that stands lower: what counts of several sizes."""
    return max(one, other, key=lambda standing: (_place(standing), standing.ratio))


def better(one: Standing, other: Standing) -> Standing:
    """The one that stands higher: what counts of two attempts."""
    return min(one, other, key=lambda standing: (_place(standing), standing.ratio))


def _place(standing: Standing) -> float:
    return standing.rung.at_most if standing.rung else float("inf")


def words(standing: Standing, ladder: Sequence[Rung]) -> str:
    """Tell a standing: one line of figures, then the ladder."""
    speed = standing.flops / standing.seconds if standing.seconds else 0.0
    share = speed / standing.peak
    about = "more than " if standing.given_up else ""
    sure = "" if standing.given_up else f" [{standing.low:.2f} to {standing.high:.2f}]"
    figures = (
        f"{standing.case}: {about}{figure(standing.ratio)} times {standing.against}{sure}, "
        f"{figure(speed / 1e9)} GFLOP/s = {100 * share:.2g} % of what a matrix product reaches on this machine."
    )
    lines = [figures]
    for rung in ladder:
        mark = "  <- you are here" if rung == standing.rung else ""
        lines.append(f"  {rung.name}: at most {rung.at_most:g} times{mark}")
    if standing.rung is None:
        lines.append("  below the ladder  <- you are here")
    if standing.suspicious:
        lines.append(f"Held for review: {standing.suspicious}")
    return "\n".join(lines)


def landmarks(share: float, table: Mapping[str, float]) -> str:
    """Tell a share of the machine's peak, in per cent, among those of other solutions; the slowest first."""
    entries = sorted([*table.items(), ("you", share)], key=lambda entry: entry[1])
    most = max(value for _, value in entries)
    lines = []
    for name, value in entries:
        bar = "#" * round(BAR * value / most) or "."
        lines.append(f"  {name:<28}{figure(value):>7} % {bar}")
    return "\n".join(lines)


def growth(name: str, peaks: Mapping[int, float]) -> str:
    """Tell memory against length, in MiB, and what it grows like."""
    lines = [f"{name}: extra memory at its highest"]
    for length, peak in peaks.items():
        lines.append(f"  at {length:>6}: {peak / 2**20:8.1f} MiB {'#' * round(BAR * peak / max(peaks.values()))}")
    if len(peaks) == 1:
        return "\n".join(lines)
    # The two longest: what every call takes, whatever its length, hides the growth of the short ones.
    (short, first), (long, last) = sorted(peaks.items())[-2:]
    times, lengths = last / max(first, 1.0), long / short
    like = (
        "the square of the length"
        if times > lengths**1.5
        else "the length"
        if times > lengths**0.5
        else "hardly anything"
    )
    lines.append(f"  From {short} to {long} it takes {times:.1f} times the memory: it grows like {like}.")
    return "\n".join(lines)


def figure(value: float) -> str:
    """A positive number in two or three digits, never with an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else f"{value:.1g}"
