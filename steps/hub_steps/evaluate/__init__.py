"""How well a model answers the held-out questions."""
