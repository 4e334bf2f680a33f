"""What a device answered to a probe: registers or failures, by block, by point and by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sos_ops.modbus.decode import Judged, decoder_of
from sos_ops.modbus.failures import ModbusReadError
from sos_ops.modbus.plan import Block
from sos_ops.modbus.protocol_map import Point, ProtocolMap, ReadFunction

Registers = tuple[int, ...]
Answer = Registers | ModbusReadError | None
"""What came of a request; None where it was not asked."""


@dataclass
class BlockSamples:
    """One block, read as a whole and, some of its points, singly; sample by sample."""

    block: Block
    whole: list[Answer] = field(default_factory=list)
    single: list[dict[str, Answer]] = field(default_factory=list)
    gaps: dict[int, Answer] = field(default_factory=dict)
    """By address on the wire: the first register of each gap, read once by itself."""
    seconds: list[float] = field(default_factory=list)
    """How long the answers to the whole block took."""

    def registers_of(self, index: int, sample: int) -> Registers | None:
        """A point's registers in a sample: of the whole block, else of its single read."""
        point, begin = self.block.points[index], self.block.offsets[index]
        whole = self.whole[sample]
        if isinstance(whole, tuple):
            return whole[begin : begin + point.registers]
        single = self.single[sample].get(point.name)
        return single if isinstance(single, tuple) else None

    def failure_of(self, index: int) -> ModbusReadError | None:
        """Why a point could not be read in any sample; None when it was read, or never asked."""
        failures = []
        for sample in range(len(self.whole)):
            if self.registers_of(index, sample) is not None:
                return None
            failures.append(self.single[sample].get(self.block.points[index].name) or self.whole[sample])
        return next((failure for failure in failures if isinstance(failure, ModbusReadError)), None)


@dataclass(frozen=True)
class Series:
    """A point over the samples: what was read each time, registers and meaning."""

    point: Point
    start: int
    """The point's first register on the wire."""
    registers: tuple[Registers, ...]
    judged: tuple[Judged, ...]
    failure: ModbusReadError | None = None
    """Why it was never read."""

    @property
    def numbers(self) -> list[float]:
        """The values read, also those set aside, in the point's unit."""
        read = [one.value if one.value is not None else one.suspect_value for one in self.judged]
        return [number for number in read if number is not None]


def all_series(protocol_map: ProtocolMap, samples: Sequence[BlockSamples]) -> list[Series]:
    """Every point of the map, in the map's order; one in no block (never asked) has no registers."""
    found: dict[str, Series] = {}
    for block_samples in samples:
        for index, point in enumerate(block_samples.block.points):
            read = [
                registers
                for sample in range(len(block_samples.whole))
                if (registers := block_samples.registers_of(index, sample)) is not None
            ]
            decode = decoder_of(point)
            found[point.name] = Series(
                point,
                protocol_map.wire_address(point.address),
                tuple(read),
                tuple(decode(registers, 0) for registers in read),
                block_samples.failure_of(index),
            )
    return [found[point.name] for point in protocol_map.points if point.name in found]


def register_images(samples: Sequence[BlockSamples]) -> list[dict[tuple[ReadFunction, int], int]]:
    """All registers read, one picture for each sample: those of blocks, and of single reads where a block failed."""
    count = max((len(one.whole) for one in samples), default=0)
    images: list[dict[tuple[ReadFunction, int], int]] = [{} for _ in range(count)]
    for block_samples in samples:
        for sample in range(len(block_samples.whole)):
            images[sample].update(_registers(block_samples, sample))
    return images


def _registers(block_samples: BlockSamples, sample: int) -> Iterator[tuple[tuple[ReadFunction, int], int]]:
    block = block_samples.block
    whole = block_samples.whole[sample]
    if isinstance(whole, tuple):
        for offset, register in enumerate(whole):
            yield (block.function, block.start + offset), register
        return
    for index, begin in enumerate(block.offsets):
        registers = block_samples.registers_of(index, sample) or ()
        for offset, register in enumerate(registers):
            yield (block.function, block.start + begin + offset), register
