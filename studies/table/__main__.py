"""Runs the table, or the methods that are named, and writes it of all that is kept."""

import argparse
import sys
import time
from pathlib import Path

from studies.table import __doc__ as about
from studies.table import figure, page
from studies.table.catalogue import available
from studies.table.runs import keep, kept, run, timed
from studies.table.settings import GROUPS, QUICK, Settings

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.table", description=about)
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where a9a's files are; else as the library looks")
    parser.add_argument("--out", type=Path, metavar="DIR", help="docs/table; runs/table_quick with --quick")
    parser.add_argument("--quick", action="store_true", help="a few rounds of everything, to see that it runs")
    parser.add_argument("--methods", metavar="A,B", help="run these; the others as they are kept")
    parser.add_argument("--resume", action="store_true", help="do not run again what is kept from the same settings")
    parser.add_argument("--time", action="store_true", help="measure the seconds again of what is kept, nothing else")
    given = parser.parse_args()
    entries, settings = available(), QUICK if given.quick else Settings()
    names = [entry.name for entry in entries]
    wanted = given.methods.split(",") if given.methods else names
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"no method is called {', '.join(unknown)}; there are {', '.join(names)}.")
    folder = ROOT / "runs" / ("table_quick" if given.quick else "table")
    out = given.out or (folder / "page" if given.quick else ROOT / "docs" / "table")

    chosen = [entry for entry in entries if entry.name in wanted]
    for number, entry in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {entry.name}", end=" ", flush=True)
        found = kept(folder, entry, settings) if given.resume or given.time else None
        if found and not found.failed:
            if given.time:
                keep(folder, entry.name, timed(entry, found, settings, given.data_dir))
            print("is kept", flush=True)
            continue
        begun = time.perf_counter()
        record, tuning = run(entry, settings, given.data_dir)
        keep(folder, entry.name, record, tuning)
        print(record.failed or _ended(record), f"({time.perf_counter() - begun:.0f} s)", flush=True)
    results = {entry.name: (entry, record) for entry in entries if (record := kept(folder, entry, settings))}
    page.write(results, settings, out)
    groups = {group.title: page.histories(results, key) for key, group in GROUPS.items()}
    figure.write({title: histories for title, histories in groups.items() if histories}, out / "figure.png")
    print(f"written: {out}")
    if failed := [name for name, (_, record) in results.items() if record.failed]:
        sys.exit(f"no result of {', '.join(failed)}; table.md says why.")


def _ended(record: page.Record) -> str:
    last = record.history[record.history["round"] == record.history["round"].max()]
    steps = f"upper {record.about['upper']:g}, lower {record.about['lower']:g}"
    return f"{steps}: M_t = {last['metric'].median():.3g} after {last['round'].iloc[0]} rounds"


if __name__ == "__main__":
    main()
