"""Modbus over byte streams: framing, connections, buses."""
