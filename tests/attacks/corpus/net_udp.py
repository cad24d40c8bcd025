"""Sends a datagram to a server on this machine.

No socket can be made, and nothing arrives; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"everything", ("127.0.0.1", T.udp)))
