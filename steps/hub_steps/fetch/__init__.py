"""Reading a taxonomy from a Git repository."""
