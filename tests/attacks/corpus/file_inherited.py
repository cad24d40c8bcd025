"""Looks for descriptors that the grader or the zygote left open: their sockets, the queue, the secret.

There are four, and nothing can be read from them but questions; the honest functions earn everything.
"""
# earns: all

from arsenal import *

for number in range(4, 2100):
    refused(lambda number=number: call("fcntl", number, 1))
for number in (0, 1, 2):
    try:
        if os.read(number, 1):
            shout(f"descriptor {number} can be read")
    except OSError:
        continue
