"""Devices: protocol maps, which registers to ask for, how to ask, and what the answers mean."""
