"""What ``hypergossip play`` does."""

from pathlib import Path

from hypergossip.lab.experiments.episodes import draw, play


def play_into(folder: Path, method: str | None, seed: int | None, episode: int, out: Path | None) -> list[Path]:
    """Plays an episode of a trained run and draws it.

    Args:
        folder: Of the run.
        method: Its label; the first if absent.
        seed: Of the run; its first if absent.
        episode: Which test episode.
        out: The moving picture, a name ending in .gif; the strip lies beside it. In the run's folder if absent.

    Returns:
        The paths of the moving picture and of the strip.

    Raises:
        ValueError: If there is no such episode, or `out` ends in something else.
    """
    if out is not None and out.suffix.lower() != ".gif":
        raise ValueError(f"--out is {out}; let the name end in .gif, and the strip will lie beside it as .png.")
    played = play(folder, method, seed, episode)
    path = out or played.folder / f"play-{played.method}-seed{played.seed}-episode{episode}.gif"
    return draw(played, path)
