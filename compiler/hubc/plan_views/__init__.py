"""A plan as people and programs see it: text, JSON, Markdown, and what differs from another one."""
