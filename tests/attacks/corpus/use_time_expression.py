"""Has a regular expression take for ever, inside a call that Python cannot interrupt.

It is ended when its time is over; nothing is earned.
"""
# earns: nothing
# ends: timeout
# run: impatient

from arsenal import *

sys.modules["re"].match("(a+)+$", "a" * 64 + "b")
