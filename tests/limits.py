"""How much load the tests put on: one table, chosen by `CHATFLOW_TEST_LOAD` (small, normal, large).

A test takes its numbers from `LIMITS`, so that `make test` stays within its minutes and `make chaos` is the
same tests with larger numbers.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Numbers a test may ask for."""

    kills: int
    """How often a test that kills a process at a random moment does so."""
    examples: int
    """Examples of a property test."""
    steps: int
    """Steps of one random walk through a state machine."""
    children: int
    """Nodes of a wide tree."""
    nodes: int
    """Nodes of a tree to which everything happens."""
    instances: int
    """Instances of a throughput or fairness test."""
    deadline_sec: float
    """How long to poll for something that must happen before saying that it did not."""


_TABLE = {
    "small": Limits(kills=1, examples=20, steps=20, children=50, nodes=60, instances=20, deadline_sec=30),
    "normal": Limits(
        kills=3, examples=100, steps=50, children=450, nodes=400, instances=100, deadline_sec=30
    ),
    "large": Limits(
        kills=30, examples=2000, steps=200, children=5000, nodes=10_000, instances=2000, deadline_sec=60
    ),
}

LOAD = os.environ.get("CHATFLOW_TEST_LOAD", "normal")
LIMITS = _TABLE[LOAD]
