"""A report goes into the documentation whole, and a run without one leaves the page that is there."""

import pytest

from studies import gallery


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run that has ended, and a gallery of the test's own."""
    monkeypatch.setattr(gallery, "EXPERIMENTS", tmp_path / "experiments")
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    (folder / "reproduction.toml").write_text('experiment = "Q1"\n')
    (folder / "report.md").write_text("Numbers: [history.csv](history.csv), ![a](figures/a.png)\n")
    (folder / "figure.png").write_bytes(b"first")
    (folder / "figures" / "a.png").write_bytes(b"second")
    (folder / "history.csv").write_text("round\n")
    return folder


def content(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_the_page_and_its_pictures_alone_take_the_place_of_the_earlier_ones(run):
    old = gallery.EXPERIMENTS / "q1" / "figures"
    old.mkdir(parents=True)
    (old / "of-a-case-that-is-gone.png").write_bytes(b"old")
    assert gallery.take(run) == gallery.EXPERIMENTS / "q1" / "index.md"
    assert content(gallery.EXPERIMENTS) == {
        "q1/index.md": b"Numbers: `history.csv`, ![a](figures/a.png)\n",
        "q1/figure.png": b"first",
        "q1/figures/a.png": b"second",
    }


@pytest.mark.parametrize("lacking", ["reproduction.toml", "report.md", "figure.png"])
def test_a_run_that_has_not_ended_leaves_the_earlier_page(run, lacking):
    gallery.take(run)
    before = content(gallery.EXPERIMENTS)
    (run / "figure.png").write_bytes(b"new")
    (run / lacking).unlink()
    with pytest.raises(ValueError, match=f"has no {lacking}: it has not ended"):
        gallery.take(run)
    assert content(gallery.EXPERIMENTS) == before


def test_the_page_of_a_study_is_taken_with_its_pictures_alone(run):
    (run / "index.md").write_text("![a map](figures/a.png)\n")
    (run / "figures" / "b.gif").write_bytes(b"third")
    assert gallery.take(run) == gallery.EXPERIMENTS / "run" / "index.md"
    assert content(gallery.EXPERIMENTS) == {
        "run/index.md": b"![a map](figures/a.png)\n",
        "run/figure.png": b"first",
        "run/figures/a.png": b"second",
        "run/figures/b.gif": b"third",
    }
