"""Whether a place is ready for runs, told before any accelerator is taken."""
