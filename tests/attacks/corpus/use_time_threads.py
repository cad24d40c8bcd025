"""Answers at once, and goes on computing in a thread.

The processor time of the whole process is counted, until the whole submission's runs out.
"""
# earns: any
# run: impatient

from arsenal import *


def spin():
    while True:
        pass


sys.modules["threading"].Thread(target=spin, daemon=True).start()
