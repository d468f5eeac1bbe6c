"""Adapters: one backend per module; only `bootstrap` knows them."""
