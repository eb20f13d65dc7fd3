"""How requests and connections reach the app: Hypercorn under trio, with what it lacks."""
