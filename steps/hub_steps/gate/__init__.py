"""Whether a model may be published: its figures against what the spec demands."""
