"""Adapters that need no other process."""
