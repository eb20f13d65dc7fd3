"""One step of the site, from what is observed to what is booked."""
