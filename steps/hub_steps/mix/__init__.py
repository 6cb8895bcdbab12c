"""Mixing data sets and generated data into one file of training data."""
