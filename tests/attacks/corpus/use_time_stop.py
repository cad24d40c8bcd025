"""Stops itself, so that it neither answers nor ends.

It is ended when its time is over, or cannot stop at all.
"""
# earns: any
# run: impatient

from arsenal import *


def relu(x):
    os.kill(os.getpid(), signal.SIGSTOP)
    return np.zeros(np.shape(x)) + 7
