"""The implementation of ``hypergossip play``."""

from pathlib import Path

from hypergossip.lab.experiments.episodes import draw, play
from hypergossip.lab.experiments.folder import check_place


def play_into(folder: Path, method: str | None, seed: int | None, episode: int, out: Path | None) -> list[Path]:
    """Plays an episode of a trained run and draws it.

    Args:
        folder: The folder of the run.
        method: The label of the method; None for the first one.
        seed: The seed of the run; None for its first seed.
        episode: The number of the test episode.
        out: The path of the animation, ending in .gif; the strip is written beside it. None for the run's folder.

    Returns:
        The paths of the animation and of the strip.

    Raises:
        ValueError: If there is no such episode, or `out` has another ending or cannot be written.
    """
    if out is not None and out.suffix.lower() != ".gif":
        raise ValueError(f"--out is {out}; use a name that ends in .gif. The strip is written beside it as .png.")
    if out is not None:
        check_place(out.parent, f"--out is {out}")
    played = play(folder, method, seed, episode)
    path = out or played.folder / f"play-{played.method}-seed{played.seed}-episode{episode}.gif"
    return draw(played, path)
