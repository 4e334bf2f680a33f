"""The command line `sos-ops`."""
