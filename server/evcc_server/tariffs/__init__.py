"""Prices and CO2, from their providers to the control."""
