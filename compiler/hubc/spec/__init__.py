"""What people write: Pipeline and Platform specs, and the leaves of a taxonomy."""
