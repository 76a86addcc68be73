"""Measurements: our node beside the raw parts it is made of, in one run. See `bench.__main__`.

Absolute times depend on the machine; what counts is the ratio between rows of one run. Nothing here is a
test: tests assert order and outcome, never times.
"""
