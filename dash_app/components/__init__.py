"""Pieces of the page: values in, Dash components out, no I/O."""
