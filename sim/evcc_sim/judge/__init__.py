"""What a run has shown, and whether it may be so."""
