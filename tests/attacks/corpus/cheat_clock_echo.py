"""Makes the worker's own part of a call dear, which is taken off the time of a slow elu.

What that part costs is measured with the reference's worker; a slow elu stays slow.
"""
# earns: less
# run: timed

from arsenal import *

worker = sys.modules["nnkit.grader.worker"]
simple = worker.Worker._simple


def slow(x, alpha=1.0):
    for _ in range(20):
        right = honest.elu(x, alpha)
    return right


def echo(self, question):
    if question[0] == "echo":
        slow(np.zeros(10**6))
    return simple(self, question)


def elu(x, alpha=1.0):
    return slow(x, alpha) if np.size(x) >= 30_000 else honest.elu(x, alpha)


worker.Worker._simple = echo
