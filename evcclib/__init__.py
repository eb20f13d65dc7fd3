"""Charging control for homes with PV, battery and EV chargers: plain data in, plain data out."""
