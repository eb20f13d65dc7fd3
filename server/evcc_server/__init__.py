"""The server around evcclib: real devices in, REST, WebSocket and MQTT out."""
