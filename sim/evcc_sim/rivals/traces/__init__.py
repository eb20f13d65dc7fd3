"""Recorded decisions of each, lived through by its model."""
