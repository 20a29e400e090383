"""JAX's persistent compilation cache: a program that was compiled once is read from disk in later processes."""

import os
from pathlib import Path
from typing import Any

from hypergossip.data.sources import cache_folder
from hypergossip.support.extras import check_installed

MOST_BYTES = 2 * 10**9  # the least recently used programs are removed beyond this size


def use_compilation_cache(folder: Path | str | None = None) -> Path:
    """Keeps compiled programs on disk, for this process and later ones. Results stay the same, to the last bit.

    Programs that were compiled before the call are not kept. The command line calls it by itself.

    Args:
        folder: The folder; None for "compiled" in $XDG_CACHE_HOME/hypergossip, or in ~/.cache/hypergossip. It holds at
            most `MOST_BYTES`.

    Returns:
        The folder.

    Raises:
        MissingExtra: If filelock is not installed, by which JAX limits the size of the folder; the extra "lab" has it.
        OSError: If the folder cannot be made.
    """
    import jax

    check_installed("lab", "A compilation cache of limited size", "filelock")
    options = _options(folder)
    for name, value in options.items():
        jax.config.update(name, value)
    return Path(options["jax_compilation_cache_dir"])


def use_by_default() -> None:
    """Does the same for a process that has not imported JAX, unless the user has set JAX's own variables.

    A folder that cannot be made is no error: the process compiles as without a cache.
    """
    if any(name.startswith(("JAX_COMPILATION_CACHE", "JAX_ENABLE_COMPILATION_CACHE")) for name in os.environ):
        return
    try:
        options = _options(None)
    except OSError:
        return
    os.environ.update({name.upper(): str(value) for name, value in options.items()})


def _options(folder: Path | str | None) -> dict[str, Any]:
    path = Path(folder).expanduser() if folder is not None else cache_folder() / "compiled"
    path.mkdir(parents=True, exist_ok=True)
    return {
        "jax_compilation_cache_dir": str(path.resolve()),
        "jax_compilation_cache_max_size": MOST_BYTES,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
