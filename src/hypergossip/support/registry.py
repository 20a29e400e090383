"""The registry of everything that can be chosen by name, from this library and from other packages.

Another package adds an algorithm, a network or a problem by an entry point, without changes to this library:

    [project.entry-points."hypergossip.algorithms"]
    my_method = "my_package.my_module:MyMethod"

An algorithm is a class made by `hypergossip.core.algorithm.register`. A network's constructor returns a
`hypergossip.networks.Network`. A problem's constructor takes ``agents`` (filled in from the network if the
configuration does not give it) and returns a `hypergossip.Problem`. A channel's constructor returns one stage of a
channel. The first line of the docstring is shown by ``hypergossip list``.
"""

import importlib
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

# Methods and estimators are listed in the __init__.py of their folders, by the names of their files.
_FOLDERS = {"algorithms": "hypergossip.algorithms", "estimators": "hypergossip.hypergradients"}
_BUILT_IN = {
    "networks": {
        **{
            name: f"hypergossip.networks.over_time:{name}"
            for name in ("links_up", "random_edge", "random_matchings", "one_peer_exponential", "in_turn")
        },
        **{
            name: f"hypergossip.networks:{name}"
            for name in (
                "ring",
                "path",
                "grid",
                "torus",
                "complete",
                "star",
                "exponential",
                "directed_ring",
                "directed_exponential",
                "hypercube",
                "single",
                "erdos_renyi",
                "random_regular",
                "small_world",
                "from_edges",
                "from_file",
                "from_mixing",
            )
        },
    },
    "problems": {
        "quadratic": "hypergossip.problems:quadratic",
        "hyperparameter": "hypergossip.problems:hyperparameter",
        "meta_learning": "hypergossip.problems:meta_learning",
        "data_cleaning": "hypergossip.problems:data_cleaning",
        "sinusoids": "hypergossip.problems:sinusoids",
        "cooperative_navigation": "hypergossip.problems.actor_critic:cooperative_navigation",
        "parallel_game": "hypergossip.problems.actor_critic:parallel_game",
        "pursuit_evasion": "hypergossip.problems.actor_critic:pursuit_evasion",
    },
    "engines": {
        "simulated": "hypergossip.engines:Simulated",
        "sharded": "hypergossip.engines:Sharded",
        "debug": "hypergossip.engines:Debug",
        "peers": "hypergossip.peers.engine:Peers",
    },
    "channels": {
        "loss": "hypergossip.channels:Loss",
        "gilbert_elliott": "hypergossip.channels:GilbertElliott",
        "noise": "hypergossip.channels:Noise",
        "fading": "hypergossip.channels:Fading",
        "delay": "hypergossip.channels:Delay",
        "quantize": "hypergossip.channels:Quantize",
        "top_k": "hypergossip.channels:TopK",
        "random_k": "hypergossip.channels:RandomK",
        "common_copy": "hypergossip.channels:CommonCopy",
        "edge_sums": "hypergossip.channels:EdgeSums",
        "privacy_noise": "hypergossip.channels:PrivacyNoise",
    },
}
KINDS = (*_FOLDERS, *_BUILT_IN)


def find(kind: str, name: str) -> Callable[..., Any]:
    """Returns the constructor of a name.

    Args:
        kind: One of `KINDS`.
        name: Case, hyphens and underscores are ignored: "D-SGD" is "dsgd".

    Raises:
        ValueError: If there is none (the message names the nearest), two packages claim it, or it cannot be imported.
    """
    known = _known(kind)
    wanted = [entry for entry in known if _plain(entry.name) == _plain(name)]
    if not wanted:
        names = [entry.name for entry in known]
        raise ValueError(f"there is no {kind[:-1]} called {name!r}; {nearest(name, names)}")
    if len(wanted) > 1:
        claims = " and ".join(entry.value for entry in wanted)
        raise ValueError(f"the {kind[:-1]} {name!r} is claimed by {claims}; uninstall one of these packages.")
    try:
        return wanted[0].load()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"the {kind[:-1]} {name!r} cannot be imported from {wanted[0].value} ({error}); "
            "reinstall or remove the package that provides it."
        ) from error


def descriptions(kind: str) -> dict[str, str]:
    """Returns every name of a kind, with the first line of its constructor's docstring.

    Args:
        kind: One of `KINDS`.
    """
    lines = {}
    for entry in _known(kind):
        try:
            lines[entry.name] = (inspect.getdoc(find(kind, entry.name)) or "").partition("\n")[0]
        except ValueError as error:
            lines[entry.name] = f"unusable: {error}"
    return lines


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns advice for a name that does not exist: the nearest of the names that do, or all of them."""
    known = list(names)
    close = get_close_matches(_plain(name), [_plain(other) for other in known], n=1, cutoff=0.6)
    if close:
        return f"did you mean {next(other for other in known if _plain(other) == close[0])!r}?"
    return f"choose one of {', '.join(known)}." if known else "it takes no options."


def check_options(caller: str, options: Iterable[str], function: Callable) -> None:
    """Checks the names of options that one function hands to another, which Python's own message would name.

    Args:
        caller: The name of the function that the user called.
        options: The names of the user's options.
        function: The function that takes them.

    Raises:
        TypeError: If it has no such option.
    """
    known = inspect.signature(function).parameters
    for name in options:
        if name not in known:
            raise TypeError(f"{caller} has no option {name!r}; {nearest(name, known)}")


def built_in(kind: str) -> dict[str, str]:
    """Returns the library's own objects of a kind: name -> location.

    Args:
        kind: One of `KINDS`.
    """
    if kind not in _FOLDERS:
        return dict(_BUILT_IN[kind])
    folder = importlib.import_module(_FOLDERS[kind])
    classes = [value for value in vars(folder).values() if isinstance(value, type)]
    return {cls.__module__.rpartition(".")[2]: f"{folder.__name__}:{cls.__name__}" for cls in classes}


def _known(kind: str) -> list[EntryPoint]:
    group, own = f"hypergossip.{kind}", built_in(kind)
    others = [entry for entry in entry_points(group=group) if entry.value not in own.values()]
    return [EntryPoint(name, value, group) for name, value in own.items()] + others


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
