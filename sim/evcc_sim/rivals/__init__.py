"""Other systems as controls; docs/rivals.md says what is known of them."""
