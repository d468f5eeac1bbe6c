"""What a plugin is written with: the values that hooks see and answer, and the two that come along.

A plugin is an entry point of the group `chatflow.plugins`: a callable that takes its options and returns an
object with one or several of the methods `before`, `after` and `process`.
"""

from chatflow_jupyter.domain.hooks import (
    Accept,
    Allow,
    Amend,
    ArtifactMade,
    ArtifactProcessor,
    Ask,
    AttemptAhead,
    AttemptBehind,
    Deny,
    Keep,
    PostExecutionHook,
    PreExecutionHook,
    Refuse,
    Reject,
    Replace,
    SetRisk,
)

__all__ = [
    "Accept",
    "Allow",
    "Amend",
    "ArtifactMade",
    "ArtifactProcessor",
    "Ask",
    "AttemptAhead",
    "AttemptBehind",
    "Deny",
    "Keep",
    "PostExecutionHook",
    "PreExecutionHook",
    "Refuse",
    "Reject",
    "Replace",
    "SetRisk",
]
