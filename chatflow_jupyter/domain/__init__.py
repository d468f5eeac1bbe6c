"""Pure values and rules: no IO, no clock, no randomness, no logging."""
