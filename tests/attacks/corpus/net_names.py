"""Asks for the address of a name, which would tell the server of names what it knows.

Nothing can be asked; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: socket.getaddrinfo(b"nnkit.invalid", 80))
refused(lambda: call("socket", 2, 2, 0))
