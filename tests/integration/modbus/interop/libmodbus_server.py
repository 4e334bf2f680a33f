"""A Modbus TCP server of libmodbus, the C library, as a process (`python -m`): prints its port, then serves.

Input register a holds `1000 + a`, holding register a `2000 + a`, for a from `FIRST` on, `COUNT` of each. Other
addresses are libmodbus's to refuse. It answers every unit, as libmodbus does on TCP.
"""

from __future__ import annotations

import ctypes
import socket
import sys

FIRST, COUNT = 100, 300
MAX_ADU = 260
INSTALL = "apt-get install libmodbus5"


class _Mapping(ctypes.Structure):
    """`modbus_mapping_t` of libmodbus 3.1 (modbus.h)."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("nb_bits", "start_bits", "nb_input_bits", "start_input_bits")),
        *((name, ctypes.c_int) for name in ("nb_input_registers", "start_input_registers")),
        *((name, ctypes.c_int) for name in ("nb_registers", "start_registers")),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


def libmodbus() -> ctypes.CDLL | None:
    """The library, or None where it is not installed."""
    try:
        library = ctypes.CDLL("libmodbus.so.5")
    except OSError:
        return None
    library.modbus_new_tcp.restype = ctypes.c_void_p
    library.modbus_new_tcp.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.modbus_mapping_new_start_address.restype = ctypes.POINTER(_Mapping)
    library.modbus_tcp_listen.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.modbus_tcp_accept.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
    library.modbus_receive.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.modbus_reply.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Mapping)]
    library.modbus_close.argtypes = [ctypes.c_void_p]
    return library


def serve() -> None:
    """Serve one client after the other until the process is ended."""
    library = libmodbus()
    if library is None:
        raise SystemExit(f"libmodbus is not installed: {INSTALL}")
    context = library.modbus_new_tcp(b"127.0.0.1", 0)
    mapping = library.modbus_mapping_new_start_address(0, 0, 0, 0, FIRST, COUNT, FIRST, COUNT)
    for offset in range(COUNT):
        mapping.contents.tab_input_registers[offset] = 1000 + FIRST + offset
        mapping.contents.tab_registers[offset] = 2000 + FIRST + offset
    listening = library.modbus_tcp_listen(context, 5)
    if listening < 0:
        raise SystemExit("libmodbus cannot listen")
    with socket.socket(fileno=socket.dup(listening)) as known:
        print(known.getsockname()[1], flush=True)
    descriptor = ctypes.c_int(listening)
    request = ctypes.create_string_buffer(MAX_ADU)
    while library.modbus_tcp_accept(context, ctypes.byref(descriptor)) >= 0:
        while (length := library.modbus_receive(context, request)) >= 0:
            library.modbus_reply(context, request, length, mapping)
        library.modbus_close(context)


if __name__ == "__main__":
    serve()
    sys.exit(1)
