"""Loops compiled by Numba: the only place that imports it, and itself imported inside functions only.

Compiled once a machine, in a few seconds, and kept in Numba's cache. The loops release the interpreter's
lock, so threads run them side by side. Each says what it takes and gives; who calls it checks.
"""
