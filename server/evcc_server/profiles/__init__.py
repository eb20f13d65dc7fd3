"""A device as data: its registers, their formulas and where evcc's templates find them."""
