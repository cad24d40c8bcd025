"""Says that all its names are numbers, texts and arrays.

They are asked for, and are what they are; nothing is earned.
"""
# earns: nothing
# ends: protocol_error

from arsenal import *

names = ["relu", "elu", "leaky_relu", "activity", "relu_backward", "elu_backward", "leaky_relu_backward"]
answer(value([codec.DICT, *[entry for name in names for entry in (name, [codec.LIST, 1])]]))
