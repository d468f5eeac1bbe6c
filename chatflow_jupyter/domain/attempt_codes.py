"""How an attempt can fail: the codes that `retries.on` may name."""

ATTEMPT_CODES = frozenset(
    {
        *("cell_error", "kernel_died", "out_of_memory", "timeout", "cancelled", "bad_notebook"),
        *("no_such_kernel", "output_limit", "stdin_requested", "environment_error"),
        *("invalid_parameters", "invalid_outputs", "invalid_children", "quota_exceeded", "too_deep"),
    }
)
"""The last five are found out beside the notebook: before it begins, or when it has run to its end."""
