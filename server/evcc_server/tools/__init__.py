"""Tools to commission a site: each a function that talks to devices and returns what to print and how it went."""
