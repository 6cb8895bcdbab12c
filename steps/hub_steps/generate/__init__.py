"""Training data from a teacher model: serve or reach it, prompt it, filter what it answers."""
