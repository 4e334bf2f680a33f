"""Map files for tests: a good one, one with groups, and how they are loaded."""

from __future__ import annotations

from pathlib import Path

from sos_ops.modbus.protocol_map import ProtocolMap, load_map

HEAD = """\
name: rack
version: 1
description: a rack
read_function: holding
addressing: zero_based
"""
GOOD = (
    HEAD
    + """\
points:
  - {name: soc, address: 0, type: u16}
  - {name: energy, address: 1, type: u32, word_order: low_first}
"""
)

GROUPS = (
    HEAD
    + """\
points:
  - {name: soc, address: 0, type: u16}
groups:
  - name: rack
    address: 100
    count: 2
    stride: 50
    points:
      - {name: soc, address: 0, type: u16}
      - {name: energy, address: 1, type: u32, word_order: high_first, read_function: input}
    groups:
      - name: module
        address: 10
        count: 3
        stride: 8
        read_function: input
        groups:
          - name: cell
            address: 1
            count: 4
            stride: 2
            first_index: 0
            points:
              - {name: voltage, address: 0, type: u16, scale: 0.001}
"""
)


def load(tmp_path: Path, text: str) -> ProtocolMap:
    """The map of a file of this text, called rack.yaml."""
    path = tmp_path / "rack.yaml"
    path.write_text(text, encoding="utf-8")
    return load_map(path)
