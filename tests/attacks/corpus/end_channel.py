"""Closes its channel to the grader, and goes on.

Without a channel the process ends; what uses relu fails.
"""
# earns: without relu
# ends: crashed

from arsenal import *


def relu(x):
    os.close(3)
