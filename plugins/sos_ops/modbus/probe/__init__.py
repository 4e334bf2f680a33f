"""The probe: a device asked gently whether a protocol map is right for it, and what is wrong if not.

    asking.py    the requests: read-only, one at a time, nothing outside the map's plan
    samples.py   what came back, by point and sample
    sense.py     what values of a unit look like
    points.py    judging points one by one
    blocks.py    judging blocks: refusals, block against single reads, re-indexing
    guesses.py   judging the map as a whole: word order, byte order, addresses off by one
    report.py    what came of it

`probe_device` does all of it. Everything but `asking` is pure.
"""

from sos_ops.modbus.probe.asking import probe_device
from sos_ops.modbus.probe.report import Finding, ProbeReport, Severity

__all__ = ["Finding", "ProbeReport", "Severity", "probe_device"]
