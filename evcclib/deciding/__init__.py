"""From demands to commands: the law, and the limits, steps and guards that have the last word."""
