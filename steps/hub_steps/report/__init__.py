"""Telling those who wait for a run on a cluster how it goes: webhooks, and GitHub."""
