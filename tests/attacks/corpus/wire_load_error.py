"""Says that it could not be imported, in an error without a kind, a text or lines.

The reader refuses; nothing is earned.
"""
# earns: nothing
# ends: protocol_error

from arsenal import *

answer(pack([codec.LIST, "error"]))
