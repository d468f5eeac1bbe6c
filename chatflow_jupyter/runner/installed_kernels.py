"""Which kernels can be started here."""

from collections.abc import Sequence


def installed_kernels() -> Sequence[str]:
    """Return the names of the installed kernels, sorted."""
    from jupyter_client.kernelspec import KernelSpecManager

    return sorted(KernelSpecManager().find_kernel_specs())
