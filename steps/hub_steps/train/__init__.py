"""Training under torchrun: the algorithms of Training Hub, and scripts of the user's own."""
