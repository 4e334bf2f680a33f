"""The figures of the README's table, each measured in one run beside something else in the same run.

`python -m bench` prints them and writes `bench/latest.json`. Times of a busy machine say little, so every figure
is a ratio; medians of several runs; nothing outside this machine is asked.
"""
