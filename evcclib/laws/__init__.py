"""Control laws: who gets how much of the sun."""
