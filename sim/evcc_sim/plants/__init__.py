"""The parts of a home: each one is a few SimPy processes on the bus."""
