"""The Modbus drivers: data from `profile`, one class for meters and batteries, one for charging stations."""

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.devices.template.modbus_meter import ModbusMeter

__all__ = ["ModbusCharger", "ModbusMeter"]
