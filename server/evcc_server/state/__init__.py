"""The one store of values that every outlet shows."""
