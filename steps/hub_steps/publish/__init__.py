"""The tuned model in a folder, with its card, change log and provenance."""
