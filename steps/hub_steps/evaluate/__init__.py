"""How good a model is, by one suite of questions."""
