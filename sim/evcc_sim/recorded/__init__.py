"""Files of what was measured: power and prices as an owner has them, checked line by line."""
