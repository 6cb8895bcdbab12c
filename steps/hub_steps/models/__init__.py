"""Models from their locations: fetched, checked, converted once, and kept in a cache."""
