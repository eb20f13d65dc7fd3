"""Solvers from outside, for the programmes of `evcclib.planning`."""
