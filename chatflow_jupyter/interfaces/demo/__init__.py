"""The demonstration: a small repository, a review of it, a kill in the middle, a gate."""
