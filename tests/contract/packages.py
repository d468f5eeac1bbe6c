"""Packages with plugins, laid on the path as pip would lay them."""

from pathlib import Path


def lay(folder: Path, package: str, source: str, **plugins: str) -> Path:
    """Lay a package of one module that offers these plugins (name: attribute); returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package}.py").write_text(source)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    points = "\n".join(f"{name} = {package}:{attribute}" for name, attribute in plugins.items())
    (info / "entry_points.txt").write_text(f"[chatflow.plugins]\n{points}\n")
    return folder
