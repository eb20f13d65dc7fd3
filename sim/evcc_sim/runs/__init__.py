"""A world and a control, run in process, full stack or on the wire."""
