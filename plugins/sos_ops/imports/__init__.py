"""Data sets from files: what a mapping says, what a file holds, and what of it is taken or refused, and why.

A file is read in chunks, each a table of the mapped columns with the line of every row; a chunk becomes arrays of
values, labels and refusals, and is stored in one go. Nothing here holds more than a few chunks at a time.
"""
