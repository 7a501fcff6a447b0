"""Make `clipart_kinds.csv`: what kind of thing each picture of `clipart/` shows, besides its category.

    python examples/data/make_clipart_kinds.py

The kind is the folder within the category's in which the picture lies in Debian's package openclipart-png, as `SOURCES`
says. Of kinds with fewer than five pictures, and of pictures in no such folder, the kind is not known: an empty cell.
"""

import csv
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEAST = 5


def main():
    lines = (HERE / "SOURCES").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == 2 and "/" in line]
    kinds = {name: parts[1] for name, path, _ in rows if len(parts := path.split("/")) > 2}
    counts = Counter((name.split("/")[0], kind) for name, kind in kinds.items())
    with (HERE / "clipart_kinds.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file", "category", "kind"))
        for name in sorted(name for name, _, _ in rows):
            category, kind = name.split("/")[0], kinds.get(name, "")
            table.writerow((name, category, kind if counts[category, kind] >= LEAST else ""))


if __name__ == "__main__":
    main()
