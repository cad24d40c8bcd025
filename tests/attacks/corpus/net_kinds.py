"""Makes a socket of every kind: packets, netlink, crypto, virtual machines, Bluetooth.

None can be made; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

STREAM, DGRAM, RAW = 1, 2, 3
for family, kind in ((10, STREAM), (10, DGRAM), (16, RAW), (17, RAW), (2, RAW), (38, 5), (40, STREAM), (31, RAW)):
    refused(lambda family=family, kind=kind: call("socket", family, kind, 0))
refused(lambda: socket.socketpair())
