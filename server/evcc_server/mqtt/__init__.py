"""The MQTT tree: topics, bridge, embedded broker, link to an outside broker."""
