"""Ends its process as if all were well, in the middle of a test.

The next test has a process of its own; what uses relu fails.
"""
# earns: without relu
# ends: crashed

from arsenal import *


def relu(x):
    os._exit(0)
