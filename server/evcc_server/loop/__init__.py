"""The control loop, what it is fed with and who feeds it."""
