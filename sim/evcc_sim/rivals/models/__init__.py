"""What each of them decides: inputs of a tick in, commands out."""
