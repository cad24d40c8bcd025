"""The command starts fast enough to be typed often. Run with -s to read the figures."""

import statistics
import subprocess
import sys
import time

BARE = [sys.executable, "-c", "pass"]
HELP = [sys.executable, "-m", "nnkit.cli", "--help"]
LIST = [sys.executable, "-m", "nnkit.cli", "list"]  # reads every section.toml and looks for the student's files
REPEATS = 9


def milliseconds(*commands):
    """Median wall time of each command, run in turn, so that a busy moment meets them all."""
    times = [[] for _ in commands]
    for _ in range(REPEATS):
        for command, spent in zip(commands, times, strict=True):
            start = time.perf_counter()
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
            spent.append(1000 * (time.perf_counter() - start))
    return [statistics.median(spent) for spent in times]


def test_help_costs_at_most_ten_bare_interpreters(tmp_path, monkeypatch):
    """`nnkit --help` takes at most 10 times as long as `python -c pass`"""
    monkeypatch.chdir(tmp_path)

    bare, shown, listed = milliseconds(BARE, HELP, LIST)

    print(
        f"\npython -c pass {bare:.0f} ms; nnkit --help {shown:.0f} ms, {shown / bare:.1f}x; nnkit list {listed:.0f} ms, {listed / bare:.1f}x"
    )
    assert shown <= 10 * bare
