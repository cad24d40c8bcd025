"""Leaves a thread running that never ends.

It ends with its process; the honest functions earn everything.
"""
# earns: all

from arsenal import *


def stay():
    while True:
        time.sleep(0.05)


sys.modules["threading"].Thread(target=stay, daemon=False).start()
