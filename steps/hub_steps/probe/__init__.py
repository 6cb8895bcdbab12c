"""Trying out what steps will need: that storage takes files, endpoints answer, and targets can be published to."""
