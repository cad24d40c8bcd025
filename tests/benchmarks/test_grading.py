"""What grading costs, as ratios taken in one run. Read the figures with -s; docs/performance.md quotes them."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import psutil
import pytest

from nnkit.grader import course

from .measure import COURSE, LEAD, ONE_THREAD, bare_folder, cost, nnkit, submissions

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize(
    ("section", "count", "bare_count", "least"), [("s98_cheap", 200, 20, 12), ("s99_cheap_torch", 200, 6, 35)]
)
def test_a_class_costs_a_fraction_of_a_loop(tmp_path, section, count, bare_count, least):
    """Grading 200 submissions takes a twelfth (torch: a 35th) of the CPU of one pytest process each"""
    source = COURSE / "solutions" / section / f"{section[4:]}.py"
    folder = submissions(tmp_path / "class", source, count)
    bare = bare_folder(tmp_path / "bare", section)
    one = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:nnkit", str(bare)]
    loop, graded = [], []
    for _turn in range(3):
        loop += [cost(one, cwd=bare, SUBMISSION=str(source)).cpu for _ in range(bare_count // 2)]
        graded.append(cost(nnkit("grade", folder, "--section", section[1:3], "--jobs", 1), course=COURSE))
        loop += [cost(one, cwd=bare, SUBMISSION=str(source)).cpu for _ in range(bare_count // 2)]
    each, whole = statistics.median(loop), statistics.median(run.cpu for run in graded)
    wall = statistics.median(run.wall for run in graded)
    print(
        f"\n{section}: pytest {1000 * each:.0f} ms CPU each; nnkit grade {count} in {whole:.2f} s CPU "
        f"({1000 * whole / count:.1f} ms each), {wall:.2f} s wall: {each * count / whole:.1f}x less CPU"
    )

    assert each * count / whole >= least


@pytest.mark.parametrize("number", ["12", "13", "14", "18", "26", "37"])
def test_cost_beyond_the_suite(number):
    """A further submission costs at most 25 ms of CPU (torch: 40) beyond what the suite costs in one process"""
    section = course.section(number)
    done = subprocess.run(
        [sys.executable, str(LEAD), number, "40"], check=True, capture_output=True, env={**os.environ, **ONE_THREAD}
    )
    found = json.loads(done.stdout)
    suite = statistics.median(found["local"])
    # Neighbours in time, so that the machine was equally fast for both.
    beyond = statistics.median(g - s for g, s in zip(found["graded"], found["local"], strict=True)) + found["forking"]
    print(
        f"\nsection {number}: {suite + beyond:.0f} ms CPU for a further submission, {suite:.0f} ms of it the suite itself: "
        f"{beyond:.0f} ms beyond, {found['forking']:.1f} ms of them for forking the worker"
    )

    assert beyond <= (40 if "torch" in section.libraries else 25)


def test_two_jobs_are_faster(tmp_path):
    """Two jobs on two cores grade a class of 120 at least 1.6 times as fast as one, start-up included"""
    section = course.section("13")
    folder = submissions(tmp_path / "class", section.reference, 120)
    taken = {1: [], 2: []}
    for _ in range(4):
        for jobs, times in taken.items():
            times.append(cost(nnkit("grade", folder, "--section", 13, "--jobs", jobs)).wall)
    # The best of each: what else runs on the machine only ever takes away, and takes more from two than from one.
    one, two = (min(times) for times in taken.values())
    print(f"\ntwo jobs: {one:.2f} s with one, {two:.2f} s with two: {one / two:.2f}x the throughput")

    assert one / two >= 1.6


@pytest.mark.parametrize(("number", "most"), [("13", 150), ("37", 400)])
def test_peak_memory_of_two_jobs(tmp_path, number, most):
    """All processes together take at most 150 MB (PSS; torch: 400 MB)"""
    section = course.section(number)
    folder = submissions(tmp_path / "class", section.reference, 40)
    process = subprocess.Popen(
        nnkit("grade", folder, "--section", number, "--jobs", 2), stdout=subprocess.DEVNULL, env={**os.environ}
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, proportional_set_size(psutil.Process(process.pid)))
        time.sleep(0.05)
    print(f"\nsection {number}: {peak / 1e6:.0f} MB PSS at most, all processes of two jobs")

    assert peak <= most * 1e6


def proportional_set_size(root):
    """PSS of a process and all below it, in bytes; all are stopped meanwhile, so that it is the sum of one moment."""
    family = {}
    try:
        while new := [each for each in (root, *root.children(recursive=True)) if each.pid not in family]:
            for process in new:
                family[process.pid] = process
                process.suspend()
        return sum(size(process) for process in family.values())
    except psutil.NoSuchProcess:
        return 0
    finally:
        for process in family.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def size(process):
    """PSS of one process; nothing where it has just ended."""
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def test_memory_does_not_grow_with_the_class(tmp_path):
    """The session process has grown by at most 20 MiB between the first 50 submissions and 500"""
    source = COURSE / "solutions" / "s98_cheap" / "cheap.py"
    folder = submissions(tmp_path / "class", source, 500)
    environment = {**os.environ, "NNKIT_COURSE": str(COURSE)}
    process = subprocess.Popen(
        nnkit("grade", folder, "--section", 98, "--jobs", 1, "--out", tmp_path / "out"),
        stdout=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    sizes = []
    watcher = threading.Thread(target=watch_session, args=(process, tmp_path / "out" / "results.jsonl", sizes))
    watcher.start()
    process.wait()
    watcher.join()
    early = max(size for done, size in sizes if done <= 50)
    late = max(size for done, size in sizes if done >= 430)
    print(f"\nsession process: at most {early / 2**20:.0f} MiB up to 50 submissions, {late / 2**20:.0f} MiB up to 500")

    assert late - early <= 20 * 2**20


def watch_session(process, journal, sizes):
    """Note how large the session process is at every number of finished submissions."""
    while process.poll() is None:
        try:
            done = journal.read_bytes().count(b"\n") if journal.exists() else 0
            for child in psutil.Process(process.pid).children():
                if "zygote" not in " ".join(child.cmdline()):
                    sizes.append((done, child.memory_full_info().uss))
        except psutil.Error:
            pass
        time.sleep(0.02)
