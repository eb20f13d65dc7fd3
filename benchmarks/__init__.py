"""What we measure: each module has `run() -> Mapping[str, float]`, the numbers of one subject with their units in the names."""
