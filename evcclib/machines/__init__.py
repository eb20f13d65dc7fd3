"""Pure state machines and estimators: they know values, and not one another."""
