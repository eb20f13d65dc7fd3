"""Drivers over a device's profile."""
