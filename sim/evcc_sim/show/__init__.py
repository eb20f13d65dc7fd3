"""Reports, plots and what the terminal shows."""
