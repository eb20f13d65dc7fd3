"""Plans for a whole home: several cars on a tree of circuits, a battery and the sun."""
