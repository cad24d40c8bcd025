"""What the jail costs. Read the figures with -s; docs/security.md quotes them."""

import os
import statistics
import sys
import time
from pathlib import Path

import psutil
import pytest

from nnkit.grader.processes import Zygote
from nnkit.grader.sandbox import Ceilings

from .measure import COURSE, cost, nnkit, submissions

pytestmark = pytest.mark.benchmark

SPAWN = str(Path(__file__).parent / "spawn.py")
CHEAP = COURSE / "solutions" / "s98_cheap" / "cheap.py"
CEILINGS = Ceilings(4 << 30, 60)
# In place of the body of one function, or at import: what hostile code does, time-outs aside.
KNOWN = "import typing\nos, ctypes, struct = (typing.sys.modules[name] for name in ('os', 'ctypes', 'struct'))\n"
HOSTILE = {
    "leaves": "os._exit(0)",
    "crashes": "ctypes.string_at(0)",
    "speaks nonsense": "os.write(3, bytes(1000))",
    "answers ahead": "os.write(3, struct.pack('<QIII', 0, 0x314B4E4E, 1, 0) + b'\\xc0')",
    "prints": "print('1 passed\\n' * 1_000_000)",
    "raises": "raise SystemExit(0)",
    "forks": "os.fork()",
    "opens": "open('/etc/passwd').read()",
    "takes memory": "bytearray(1 << 40)",
    "returns what does not fit": "return bytearray(300 << 20)",
}


def test_strict_costs_little_more_than_nothing():
    """The strict level adds at most 6 ms of CPU per submission over the level none: a worker made, asked once and ended"""
    few, many, levels = 20, 220, ("none", "strict")
    each = {level: [] for level in levels}
    for _ in range(5):
        for level in levels:
            costs = [cost([sys.executable, SPAWN, level, str(count)]).cpu for count in (few, many)]
            each[level].append(1000 * (costs[1] - costs[0]) / (many - few))  # start-up falls out of the difference
    more = statistics.median(b - a for a, b in zip(each["none"], each["strict"], strict=True))
    none, strict = (statistics.median(each[level]) for level in levels)
    print(f"\nper submission: level none {none:.1f} ms CPU, strict {strict:.1f} ms: {more:.1f} ms more")

    assert more <= 6


@pytest.mark.parametrize(("torch", "most"), [(False, 15), (True, 25)], ids=["numpy", "torch"])
def test_spawn_to_ready(torch, most):
    """From asking for a jailed worker to its first word: at most 15 ms (torch: 25), median"""
    zygote = Zygote(torch=torch)
    client = zygote.client()
    walls, inside = [], []
    for _ in range(60):
        start = time.perf_counter()
        process = client.fork(CEILINGS)
        walls.append(1000 * (time.perf_counter() - start))
        process.cpu()
        inside.append(1000 * process.seconds)
        process.end()
    client.close()
    zygote.close()
    print(
        f"\n{'torch' if torch else 'numpy'}: ready after {statistics.median(walls):.1f} ms (median of 60; quickest "
        f"{min(walls):.1f}), of which {statistics.median(inside):.1f} ms are the worker's own CPU"
    )

    assert statistics.median(walls) <= most


@pytest.mark.parametrize("torch", [False, True], ids=["numpy", "torch"])
def test_memory_of_a_waiting_worker(torch):
    """At most 12 MiB that it shares with nobody"""
    zygote = Zygote(torch=torch)
    client = zygote.client()
    workers = [client.fork(CEILINGS) for _ in range(8)]
    try:
        sizes = [psutil.Process(worker.pid).memory_full_info().uss / 2**20 for worker in workers]
    except psutil.AccessDenied:
        pytest.skip("only root sees the memory of a process that cannot be dumped")
    finally:
        for worker in workers:
            worker.end()
        client.close()
        zygote.close()
    print(f"\n{'torch' if torch else 'numpy'}: {max(sizes):.1f} MiB private in each of {len(sizes)} waiting workers")

    assert max(sizes) <= 12


def test_hostile_submissions_cost_little(tmp_path):
    """200 submissions, 40 of them hostile in ten ways, take at most 1.5 times the CPU of 200 honest ones"""
    honest = submissions(tmp_path / "honest", CHEAP, 200)
    mixed = submissions(tmp_path / "mixed", CHEAP, 200)
    source = CHEAP.read_text("utf-8")
    body = "    return float(x.sum())\n"
    assert source.count(body) == 1
    kinds = list(HOSTILE.values())
    for place in range(40):
        text = KNOWN + source.replace(body, f"    {kinds[place % len(kinds)]}\n")
        (mixed / f"s{5 * place:04}" / CHEAP.name).write_text(text, "utf-8")
    costs = {honest: [], mixed: []}
    for _ in range(3):
        for folder, found in costs.items():
            command = nnkit("grade", folder, "--section", 98, "--jobs", 1)
            found.append(cost(command, course=COURSE).cpu)
    one, other = (statistics.median(found) for found in costs.values())
    ratio = statistics.median(b / a for a, b in zip(costs[honest], costs[mixed], strict=True))
    print(f"\n200 honest submissions {one:.2f} s CPU; with 40 hostile ones {other:.2f} s: {ratio:.2f}x")

    assert ratio <= 1.5


def test_a_hostile_submission_ends_as_it_must(tmp_path):
    """What is measured above is what it says: every kind fails its tests, and costs the others nothing"""
    import json

    folder = tmp_path / "class"
    source = CHEAP.read_text("utf-8")
    for name, line in HOSTILE.items():
        (folder / name).mkdir(parents=True)
        text = KNOWN + source.replace("    return float(x.sum())\n", f"    {line}\n")
        (folder / name / CHEAP.name).write_text(text, "utf-8")
    command = nnkit("grade", folder, "--section", 98, "--out", tmp_path / "out")
    cost(command, course=COURSE, cwd=os.sep)

    results = json.loads((tmp_path / "out" / "results.json").read_text())["results"]
    for result in results:
        passed = {test["name"].partition("[")[0]: test["status"] for test in result["tests"]}
        print(result["submission"], result["state"], round(result["score"], 2), "of", result["max_score"])
        assert passed["test_scaled"] == "passed", result["submission"]
        assert passed["test_total"] == "failed", result["submission"]
