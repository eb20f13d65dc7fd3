"""Scenarios: the library, the generators, and the house that is built from them."""
