"""Make `messages.csv.gz`: what a web framework says to its users, in 23 languages to learn first and 15 to learn then.

    pip download --no-deps django==4.2.16
    python examples/data/make_messages.py Django-4.2.16-py3-none-any.whl

One row a message: language, number of the message (the same in all languages), text. Placeholders and tags are taken
out; messages of fewer than 20 letters or more than 120 are left out, and those that a language has as English has them.
Source: the translations of Django 4.2.16, Django Software Foundation and individual contributors, BSD-3-Clause.
"""

from __future__ import annotations

import csv
import gettext
import gzip
import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path

LEARNT = {
    "cs": "Czech", "de": "German", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian",
    "eu": "Basque", "fi": "Finnish", "fr": "French", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "sq": "Albanian", "sv": "Swedish", "tr": "Turkish",
}  # fmt: skip
NEW = {
    "af": "Afrikaans", "ast": "Asturian", "az": "Azerbaijani", "br": "Breton", "ca": "Catalan", "cy": "Welsh",
    "da": "Danish", "ga": "Irish", "gl": "Galician", "hsb": "Upper Sorbian", "is": "Icelandic", "sk": "Slovak",
    "sl": "Slovenian", "tk": "Turkmen", "uz": "Uzbek",
}  # fmt: skip
NAMES = LEARNT | NEW
COUNTS = {**dict.fromkeys(LEARNT, 240), **dict.fromkeys(NEW, 120)}  # messages at most


def main(wheel: Path) -> None:
    """Write next to this script."""
    texts = {code: read(wheel, code) for code in COUNTS if code != "en"}
    english = sorted(set().union(*texts.values()))
    texts["en"] = {each: clean(each) for each in english}
    numbers = {each: place for place, each in enumerate(english)}
    rows = []
    for code, count in sorted(COUNTS.items()):
        fit = {said: text for said, text in texts[code].items() if fits(text)}
        told = [said for said in sorted(fit, key=scatter) if code == "en" or fit[said] != clean(said)]
        distinct = {fit[said]: said for said in reversed(told)}
        rows += [(NAMES[code], numbers[said], text) for text, said in list(reversed(distinct.items()))[:count]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("language", "message", "text"), *rows])
    target = Path(__file__).with_name("messages.csv.gz")
    target.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    print(f"{target.name}: {len(rows)} messages of {len(COUNTS)} languages, {target.stat().st_size:,} bytes")


def read(wheel: Path, code: str) -> dict[str, str]:
    """English message to its translation, of all parts of the framework."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(f"/locale/{code}/LC_MESSAGES/django.mo"):
                catalogue = gettext.GNUTranslations(io.BytesIO(archive.read(name)))._catalog
                found |= {said: clean(text) for said, text in catalogue.items() if isinstance(said, str) and said}
    return found


def clean(text: str) -> str:
    """Without context, placeholders, tags and quotation marks, in one line."""
    text = re.sub(r"%(\(\w+\))?[srd]|\{\w*\}|<[^>]*>|&\w+;|[“”„\"«»]", " ", text.split("\x04")[-1])
    text = re.sub("[\u2018\u2019\u02bb\u02bc`]", "'", text)
    return re.sub(r"\s+([.,:;!?])|\s+", lambda found: found[1] or " ", text).strip()


def fits(text: str) -> bool:
    """Whether it is long enough to show its language, and short enough."""
    return len(re.sub(r"\W", "", text)) >= 20 and len(text) <= 120


def scatter(text: str) -> int:
    """An order that has nothing to do with the alphabet, and is the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
