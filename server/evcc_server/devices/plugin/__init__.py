"""Devices that the owner describes: values over HTTP, MQTT and Modbus registers."""
