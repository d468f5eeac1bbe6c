"""Bytes of artifacts in local files."""

from .storage import LocalArtifactStorage

__all__ = ["LocalArtifactStorage"]
