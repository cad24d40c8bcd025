"""Speed and memory of kernels, measured where the student's code cannot reach: inputs, clock, expected values, verdict.

`sides` is one worker that is timed, `statistics` what many timings say, `race` the protocol of one comparison,
`memory` the peak seen from outside, `ladder` the rungs and the words, `machine` what this computer can do, `kernel` the
fixture that suites use. docs/kernels.md has the reasons and the figures.
"""
