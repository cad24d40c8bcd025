"""Says, instead of the names in the file, that they are a number.

The reader refuses; nothing is earned.
"""
# earns: nothing
# ends: protocol_error

from arsenal import *

answer(value(5))
