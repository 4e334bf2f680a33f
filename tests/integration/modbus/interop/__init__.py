"""Our reader and our simulated devices against Modbus programs that are not Python's: libmodbus and mbpoll."""
