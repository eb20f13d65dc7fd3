"""What must survive: settings, sessions, state."""
