"""Replaces Python's own functions, for everybody who comes after.

Nobody comes after it in its process.
"""
# earns: any
# ends: crashed

from arsenal import *

builtins = sys.modules["builtins"]
for name in ("len", "isinstance", "sum", "abs", "print", "sorted", "type", "getattr", "list", "bytes"):
    setattr(builtins, name, lambda *args, **kwargs: 1)
