"""Limits, which have the last word: the tree, the mean of a window, a loadpoint's own bounds."""
