"""Texts of the owner's file into which values are put, and what a value may be taken for. Pure."""
