"""What a kernel may know of its runner's environment: a closed list of names, nothing else."""

from collections.abc import Iterable, Mapping

ALLOWED_NAMES = frozenset(
    """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR VIRTUAL_ENV PYTHONPATH
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_EXE CONDA_PYTHON_EXE CONDA_SHLVL MAMBA_ROOT_PREFIX MAMBA_EXE
    JUPYTER_PATH JUPYTER_DATA_DIR JUPYTER_CONFIG_DIR JUPYTER_CONFIG_PATH JUPYTER_RUNTIME_DIR
    JUPYTER_PLATFORM_DIRS JUPYTER_PREFER_ENV_PATH JUPYTER_NO_CONFIG
    LD_LIBRARY_PATH CUDA_VISIBLE_DEVICES OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
    """.split()  # noqa: SIM905
)
"""Variables a kernel inherits. JUPYTER_TOKEN and everything JUPYTERHUB_* are secrets and not among them."""

ALLOWED_PREFIXES = ("LC_",)


def kernel_environment(
    inherited: Mapping[str, str], *, given: Mapping[str, str], extra_names: Iterable[str] = ()
) -> dict[str, str]:
    """Return the environment of a kernel: the allowed part of `inherited`, then all of `given`.

    `extra_names` are further names to inherit, as an administrator may allow.
    """
    allowed = ALLOWED_NAMES | frozenset(extra_names)
    passed = {
        name: value
        for name, value in inherited.items()
        if name in allowed or name.startswith(ALLOWED_PREFIXES)
    }
    return passed | dict(given)
