"""Answers with errors that would end pytest, skip the test or are malformed.

They are errors of the test like any other; what uses relu fails.
"""
# earns: less
# ends: crashed

from arsenal import *


def relu(x):
    kinds = ["KeyboardInterrupt", "SystemExit", "Skipped", "Exit", "BaseExceptionGroup", "OurFault", "NnkitError"]
    kind = kinds[time.monotonic_ns() % len(kinds)]
    bases = [codec.LIST, kind, "BaseException"]
    answer(pack([codec.LIST, "error", kind, bases, "all passed", [codec.LIST], None]))
    os._exit(0)
