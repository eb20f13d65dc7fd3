"""What survives the process: sessions, settings, the state of the control."""
