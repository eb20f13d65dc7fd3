"""A simulated world of houses, suns, cars and chargers, seen through Modbus."""
