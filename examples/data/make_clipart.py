"""Make `clipart/`: 300 labelled pictures in five class folders, and `SOURCES`, which says where each is from.

    python examples/data/make_clipart.py [--source /usr/share/openclipart/png]

The pictures are public-domain clip-art of Debian's package `openclipart-png` (apt install openclipart-png). Nothing is
drawn by chance: order and file format follow from SHA-256 digests of the paths, so a second run with the same package
and the same Pillow writes the same bytes.
"""

import argparse
import hashlib
import re
import tempfile
import unicodedata
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent
PACKAGE = "openclipart-png 1:0.18+dfsg-19"
CLASSES = ("animals", "food", "people", "recreation", "transportation")
PER_CLASS = 60
SEED = 0

LARGEST_PIXELS = 20_000_000
LONGER_SIDE_PIXELS = 160
JPEG_QUALITY = 88

# Thumbnails are compared on a scale of 0 to 255.
NEAR_IDENTICAL = 4.0
BLANK = 2.0
LARGEST_SERIES = 4

# What must not ship, by file name: one picture may lie in several folders, under several numbers.
LEFT_OUT = {
    "2_dead_frogs_*": "dead animals, as a studio's logo",
    "a_youngster_*": "traced from a photograph of a private person",
    "ampelfrau_*": "trademark",
    "ampelmaennchen_*": "trademark",
    "baby-tux_*": "broken: a stray box",
    "bad_guy_*": "reads as an ethnic stereotype",
    "brozo_the_clown_*": "character of a television show",
    "cartoon_vgcats_*": "character of a comic",
    "chav_*": "mocks a social class",
    "creation_day_*": "broken: shows 'linked image not found'",
    "domo_kun_*": "character of a broadcaster",
    "don_t_panic_*": "from a book's cover",
    "female_rollandin_*": "nude",
    "fire_engine_mimooh_*": "misfiled: a vehicle among people",
    "grain_elevator_*": "misfiled: a building among vehicles",
    "green_fedora_*": "broken: a stray red box",
    "interstate_highway_*": "trademark",
    "lucchetto_*": "misfiled: a padlock among animals",
    "m1_abrams_*": "weapon",
    "martin_luther_king_*": "after a photograph whose rights are unclear",
    "mermaid_*": "nude",
    "military_airplane_*": "weapon",
    "my_lovely_baby_*": "resembles a film studio's character",
    "olifant_*": "misfiled: an elephant among people",
    "packman_*": "trademark",
    "pantyhose_*": "could be taken as sexual",
    "pong_*": "trademark",
    "rca_stereo_*": "trademark",
    "rubik*": "trademark",
    "safety_pin_*": "misfiled: a pin among people",
    "silhouette_female_*": "nude",
    "silvia_*": "traced from a photograph of a private person",
    "skoynk_*": "broken: lettering cut off",
    "stop.*": "broken: cut in half",
    "t-shirt_03.*": "logo",
    "van_gogh_s_room_*": "misfiled: a room among people",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the package that the set takes.

    Attributes:
        path: in the package; its first folder is the class.
        name: in the set, without suffix; unique in its class.
        author: as the picture's own text says, or empty.
        thumbnail: (16, 16, 3), flattened on white, in [0, 255].
    """

    path: Path
    name: str
    author: str
    thumbnail: NDArray[np.float64]

    @property
    def label(self) -> str:
        return self.path.parts[0]


def digest(purpose: str, path: Path) -> str:
    return hashlib.sha256(f"{SEED} {purpose} {path.as_posix()}".encode()).hexdigest()


def pixels(file: Path) -> int:
    """Width times height by the PNG's header, without decoding: some would fill gigabytes. 0 if `file` is no PNG."""
    with file.open("rb") as stream:
        header = stream.read(24)
    if len(header) < 24 or not header.startswith(b"\x89PNG"):
        return 0
    return int.from_bytes(header[16:20]) * int.from_bytes(header[20:])


def flatten(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def set_name(path: Path) -> str:
    """The stem in lower-case ASCII."""
    ascii_stem = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "_", ascii_stem)


def subject(name: str) -> str:
    """The name without numbers and colours: pictures that share it are takes of one drawing (`fries_bw`, `hat_01`)."""
    return re.sub(r"(_(bw|black|blue|green|grey|pink|purple|red|white|yellow)(?=_|$)|[\d_])+", "_", name).strip("_")


def author_of(image: Image.Image) -> str:
    """The picture's own word on its author, without a mail address; empty if it has none."""
    text = image.info.get("Author", "")
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")  # written as UTF-8 where PNG wants Latin-1
    text = re.sub(r"[\[(<]?[\w.+-]+@[\w.-]+[\])>]?|HASH\(\w+\)", "", text)
    return " ".join(text.split()).strip(" -,")


def read(source: Path, path: Path) -> Picture:
    with Image.open(source / path) as image:
        thumbnail = flatten(image).resize((16, 16), Image.Resampling.BOX)
        return Picture(path, set_name(path), author_of(image), np.asarray(thumbnail, dtype=np.float64))


def candidates(source: Path) -> dict[str, list[Path]]:
    """Paths of the pictures that may be taken, by class, in the order in which they are drawn."""
    paths = [file.relative_to(source) for label in CLASSES for file in sorted((source / label).rglob("*.png"))]
    contents = {path: hashlib.sha256((source / path).read_bytes()).digest() for path in paths}
    # A picture that is filed under two classes has no one label.
    labels: dict[bytes, set[str]] = defaultdict(set)
    for path in paths:
        labels[contents[path]].add(path.parts[0])

    fit: dict[str, list[Path]] = {label: [] for label in CLASSES}
    for path in sorted(paths, key=lambda path: digest("draw", path)):
        left_out = any(path.match(pattern) for pattern in LEFT_OUT)
        if not left_out and len(labels[contents[path]]) == 1 and 0 < pixels(source / path) <= LARGEST_PIXELS:
            fit[path.parts[0]].append(path)
    return fit


def choose(source: Path, paths: list[Path], taken: list[Picture]) -> list[Picture]:
    """The first `PER_CLASS` of `paths` that are not blank and differ from each other and from `taken`."""
    chosen: list[Picture] = []
    subjects: set[str] = set()
    series: Counter[tuple[tuple[str, ...], str]] = Counter()
    for path in paths:
        if len(chosen) == PER_CLASS:
            break
        picture = read(source, path)
        # Two folders deep: the decks of cards are one series, though each has a folder of its own.
        key = (path.parent.parts[:2], picture.author.casefold())
        blank = np.abs(picture.thumbnail - picture.thumbnail.mean(axis=(0, 1))).mean() < BLANK
        twin = any(np.abs(picture.thumbnail - other.thumbnail).mean() < NEAR_IDENTICAL for other in taken + chosen)
        if blank or twin or subject(picture.name) in subjects or series[key] == LARGEST_SERIES:
            continue
        chosen.append(picture)
        subjects.add(subject(picture.name))
        series[key] += 1
    return chosen


def draw(source: Path) -> list[Picture]:
    """Choose `PER_CLASS` pictures of each class.

    Raises:
        ValueError: if a class runs out of pictures.
    """
    pictures: list[Picture] = []
    for label, paths in candidates(source).items():
        chosen = choose(source, paths, pictures)
        if len(chosen) < PER_CLASS:
            raise ValueError(
                f"{source / label} has too few pictures\n"
                f"  expected  {PER_CLASS} that differ enough\n"
                f"  found     {len(chosen)}\n"
                f"  next: install Debian's package {PACKAGE}, or name its folder with --source"
            )
        pictures += chosen
    return pictures


def write(picture: Picture, die: int, source: Path, folder: Path) -> Path:
    """Re-encode `picture` below `folder`, in the format that `die` (0 to 5) says, and return its path there.

    Formats and modes vary as they do in folders people really have: JPEG, palette, grey, with and without alpha.
    """
    with Image.open(source / picture.path) as image:
        grey, palette = image.mode in ("L", "LA"), image.mode == "P"
        small = image.convert("LA" if grey else "RGBA")
    small.thumbnail((LONGER_SIDE_PIXELS, LONGER_SIDE_PIXELS), Image.Resampling.LANCZOS)
    opaque = small.getchannel("A").getextrema()[0] == 255

    target = Path(picture.label, f"{picture.name}.jpg" if die == 0 else f"{picture.name}.png")
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    if die == 0:
        flatten(small).convert("L" if grey else "RGB").save(folder / target, quality=JPEG_QUALITY, optimize=True)
        return target
    if palette or (die == 1 and not grey):
        small = small.quantize(method=Image.Quantize.FASTOCTREE)
    elif opaque:
        small = small.convert("L" if grey else "RGB")
    small.save(folder / target, optimize=True)
    return target


def describe(pictures: list[Picture], targets: list[Path]) -> str:
    """The text of `SOURCES`."""
    lines = "\n".join(
        f"{target.as_posix()}\t{picture.path.as_posix()}\t{picture.author or '-'}"
        for picture, target in sorted(zip(pictures, targets, strict=True), key=lambda pair: pair[1])
    )
    return f"""\
Where the pictures in clipart/ are from
=======================================

Origin: the Open Clip Art Library (http://www.openclipart.org), as packaged by Debian: {PACKAGE},
installed below /usr/share/openclipart/png.

Licence: public domain. The package's copyright file (/usr/share/doc/openclipart-png/copyright) is a Creative Commons
public-domain dedication: those who gave the pictures either certify that they are in the public domain or give up
every right that copyright law would leave them, for good, so that anyone may use, change and pass them on for any
purpose. The smaller copies here are offered on the same terms.

Choice: {PER_CLASS} pictures for each of {len(CLASSES)} classes, a class being a folder of the package with
all below it. They were taken in the order of a seeded digest of their paths. Passed over: pictures of more than
{LARGEST_PIXELS // 1_000_000} megapixels, blank ones, ones filed under two classes, ones nearly identical to one
already taken, second takes of a drawing (another number or colour), all after the
first {LARGEST_SERIES} by one author in one folder, and those that are not fit to ship: nude, a weapon,
demeaning, a trademark or a known character, a portrait after a photograph, broken or misfiled.
make_clipart.py holds the rules and that list.

Encoding: scaled down, never up, to at most {LONGER_SIDE_PIXELS} pixels on the longer side. One in six of each
class is a JPEG of quality {JPEG_QUALITY}, flattened on white; the others are PNGs: with and without alpha, grey, or
with a palette.

Columns, separated by tabs: path in clipart/, path in the package, author as the picture's own
text says ("-": none named; mail addresses left out).

{lines}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Make clipart/ and SOURCES beside this script.")
    parser.add_argument(
        "--source", type=Path, default=Path("/usr/share/openclipart/png"), help="the package's pictures"
    )
    source = parser.parse_args().source

    try:
        # Class by class, so that each has as many JPEGs as the next: a format must not tell the class.
        pictures = sorted(draw(source), key=lambda picture: (picture.label, digest("format", picture.path)))
    except ValueError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory(prefix=".clipart-", dir=HERE) as scratch:
        fresh = Path(scratch, "clipart")
        targets = [write(picture, rank % 6, source, fresh) for rank, picture in enumerate(pictures)]
        sources = Path(scratch, "SOURCES")
        sources.write_text(describe(pictures, targets), encoding="utf-8")

        # Everything is there: only now is the old set moved away, to vanish with the scratch folder.
        if (HERE / "clipart").exists():
            (HERE / "clipart").rename(Path(scratch, "old"))
        fresh.rename(HERE / "clipart")
        sources.replace(HERE / "SOURCES")
    print(f"{len(pictures)} pictures in {HERE / 'clipart'}")


if __name__ == "__main__":
    main()
