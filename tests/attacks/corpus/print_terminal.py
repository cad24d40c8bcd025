"""Prints and raises what moves a terminal's cursor, hides text and turns its direction.

It arrives escaped; what uses relu fails.
"""
# earns: without relu

from arsenal import *

tricks = "\x1b[2J\x1b[1;1H\x1b]0;passed\x07\r\n20 of 20\x1b[8m\u202e\u2066\u200b\x9b31m\x00\ud800"
print(tricks.encode("utf-8", "replace"), "\x1b[2J")


def relu(x):
    raise ValueError(tricks)
