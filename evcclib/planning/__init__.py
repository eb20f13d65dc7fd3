"""When to charge: the cheapest slots, and following them."""
