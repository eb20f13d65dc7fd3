"""The commands of ``evcc-sim``."""
