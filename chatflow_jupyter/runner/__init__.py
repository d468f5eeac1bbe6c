"""Runs one leased attempt: a fresh kernel under a keeper, supervised cells, and a truthful result."""
