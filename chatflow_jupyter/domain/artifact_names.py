"""Which names an artifact may have."""

MAX_NAME_BYTES = 255


def is_artifact_name(name: str) -> bool:
    """Whether `name` is a relative path of printable characters that is safe on every system."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return False
    parts = name.split("/")
    safe = name.isprintable() and "\\" not in name and all(part not in ("", ".", "..") for part in parts)
    return safe and 0 < size_bytes <= MAX_NAME_BYTES
