"""Ports: Protocols only. Each method's docstring is its contract, sentence by sentence a test."""
