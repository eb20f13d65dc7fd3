"""From a configuration to the library's site and to drivers."""
