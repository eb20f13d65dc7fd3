"""The house as Modbus devices."""
