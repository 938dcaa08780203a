"""How JAX compiles quickly what is small: environment variables, read when it is imported."""

import importlib.metadata
import os
import tempfile

# What one test compiled, the next ones load, in processes of their own too.
_COMPILATIONS = tempfile.TemporaryDirectory()
# The generators of code that take least of their time on making it fast.
_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def quick_jax():
    """The variables that are not set already."""
    variables = {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": _COMPILATIONS.name,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    # XLA ends a process that gives flags which it does not know, and these come and go.
    try:
        if importlib.metadata.version("jaxlib").startswith("0.10."):
            variables["XLA_FLAGS"] = _FLAGS
    except importlib.metadata.PackageNotFoundError:
        pass
    return {name: value for name, value in variables.items() if name not in os.environ}
