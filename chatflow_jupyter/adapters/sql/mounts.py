"""On what kind of file system a path lies."""

import re
from pathlib import Path

_NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"),
    *("orangefs", "smb", "smb2", "smb3", "smbfs", "sshfs"),
    *("fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.rclone", "fuse.s3fs"),
    *("fuse.sshfs", "fuse.davfs", "fuse.mount-s3", "fuse.blobfuse", "fuse.blobfuse2"),
}
_TABLE = Path("/proc/mounts")


def network_file_system(path: Path, table: Path = _TABLE) -> str | None:
    """Return the name of the network file system that holds `path`, or None for a local or unknown one."""
    kind = _kind(path, table)
    return kind if kind in _NETWORK else None


def _kind(path: Path, table: Path) -> str | None:
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return None
    target, found, depth = path.resolve(), None, -1
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        if (target == point or point in target.parents) and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
