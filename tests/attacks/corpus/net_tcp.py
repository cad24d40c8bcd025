"""Connects to a server on this machine and sends it what it knows.

No socket can be made, and nothing arrives; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *


def send():
    with socket.socket() as plain:
        plain.connect(("127.0.0.1", T.tcp))
        plain.send(b"everything")


refused(send)
