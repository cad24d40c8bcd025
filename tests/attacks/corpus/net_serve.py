"""Waits for others to call.

No socket can be made; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *


def serve():
    with socket.socket() as plain:
        plain.bind(("0.0.0.0", 0))
        plain.listen()


refused(lambda: socket.socket())
refused(serve)
