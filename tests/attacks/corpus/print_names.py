"""Gives its exception, its function and its file names that move a cursor or are very long.

They arrive escaped and cut; what uses relu fails.
"""
# earns: without relu

from arsenal import *

Kind = type("\x1b[2J" + "K" * 10**6, (Exception,), {})


def relu(x):
    raise Kind("\r20 of 20" * 10**6)


relu.__code__ = relu.__code__.replace(co_name="\x1b[1;1Hpassed", co_filename="relu.py")
