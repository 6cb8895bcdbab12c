"""Named rules beyond the shape of a spec: over its text, and over the plan that it resolves to."""
