"""Leads the reference of a section through both suites, graded and in this process by turns: `python lead.py SECTION PAIRS`.

Prints the processor time of every visit in milliseconds as JSON: {"graded": [...], "local": [...], "forking": per visit}.
The machine's speed drifts by more than what is measured, so the two take turns in one session. What a suite itself
measures is left out: that runs in workers of its own in both modes.
"""

import gc
import json
import sys
import time

import psutil

from nnkit.grader import course, session
from nnkit.grader.cores import on_one_core
from nnkit.grader.seeds import Seeds
from nnkit.grader.speed import Speed
from nnkit.grader.subjects import makers, zygote_for

WARM = 2  # pairs that are not counted


def main():
    """Run, and print what each visit took."""
    section, pairs = course.section(sys.argv[1]), int(sys.argv[2]) + WARM
    Speed.at_most = lambda *_arguments, **_options: 0.0
    zygote = zygote_for([section])
    client = zygote.client()
    spent = {"graded": [], "local": []}
    seeds = Seeds(b"benchmark")
    with (
        on_one_core(),
        makers(section, seeds, client, foreseeing=True) as graded,
        makers(section, seeds, None) as local,
    ):

        def visits():
            gc.collect()
            gc.freeze()  # as when a class is graded
            for _ in range(pairs):
                for name, made in (("graded", graded), ("local", local)):
                    yield visit(made, spent[name])

        warm = forking(zygote)
        session.run([section.visible_suite, section.hidden_suite], visits(), points=1.0)
        forked = forking(zygote) - warm
    client.close()
    zygote.close()
    milliseconds = {name: [1000 * seconds for seconds in found[WARM:]] for name, found in spent.items()}
    print(json.dumps({**milliseconds, "forking": 1000 * forked / pairs}))


def forking(zygote):
    """Processor time of the zygote so far, in seconds; where there are namespaces, of the one inside of them."""
    root = psutil.Process(zygote.pid)
    return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children()])


def visit(made, spent):
    """One visit of the reference, which adds the seconds that it took in this process and in its worker."""
    begin = time.process_time()
    subject = made.subject(made.reference_files)

    def done(_):
        worker = getattr(subject.student.transport, "_process", None)
        subject.student.close()
        spent.append(time.process_time() - begin + (worker.seconds if worker else 0.0))
        made.order_next()

    return session.Visit(subject, done=done)


if __name__ == "__main__":
    main()
