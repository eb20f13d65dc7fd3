"""evcc.yaml: parsed once, strictly, at the edge."""
