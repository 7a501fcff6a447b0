"""Pictures named by addresses (`s3://…`, `https://…`, `file:///…`), and what of an address may be shown.

Addresses carry secrets: `user:password@`, and the query of one that was signed. An example is called by its address
without them, wherever it is listed, and is known by that name again under another signature:

    https://user:password@host/a.png?X-Amz-Signature=…     https://host/a.png
    https://host/image?id=3                                https://host/image?…4e07408562be

What else a query says tells pictures apart; a digest of it stands for it. The name of a name is that name.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

_KIND = r"[A-Za-z][A-Za-z0-9+.-]+"  # two characters or more: C:// is a drive
_ADDRESS = re.compile(rf"(?:{_KIND}::)*{_KIND}://\S")
_IN_TEXT = re.compile(rf"(?:{_KIND}::)*{_KIND}://[^\s'\"<>]+")
_LOCAL = frozenset({"file", "local"})
_WEB = frozenset({"http", "https"})
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]+://[a-z0-9._-]+(/[^?#@:]*)?")  # in which nothing is to be changed
_NAMED = re.compile(r"…[0-9a-f]{12}")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
# Of queries: what never says which picture it is, and what does not where the others of its kind stand beside it.
_SECRET = frozenset({"password", "passwd", "pwd", "secret", "api_key", "apikey", "api-key", "access_token"})
_SIGNED_BY = re.compile(
    r"x-(amz|goog|oss)-(algorithm|credential|date|expires|signedheaders|additional-headers|content-sha256|"
    r"security-token|signature(-version)?)"
)
_SIGNED_WITH = (
    re.compile("signature|expires|policy|key-pair-id|(aws|oss)accesskeyid|googleaccessid"),
    re.compile("sig|s[eprstv]|spr|sip|srt|s[au]oid|scid|sdd|ses|sk(oid|tid|[estv])"),
)  # of S3, Google, CloudFront; of Azure: where two of them are there, and the signature among them


def is_address(text: str) -> bool:
    """Whether a text names a picture by an address and not by a path."""
    return "://" in text and _ADDRESS.match(text) is not None


def address_name(address: str) -> str:
    """What the example at an address is called: the address without what is secret."""
    if _PLAIN.fullmatch(address):
        return address
    return "::".join(_name_of_link(each) if "://" in each else each for each in address.split("::"))


def hide_secrets(text: str) -> str:
    """A text, such as another program's message, with addresses in it by their names."""
    return _IN_TEXT.sub(lambda found: address_name(found[0]), text)


def local_path(address: str) -> Path | None:
    """The file that an address such as `file:///a.png` names, `%20` and the like as they stand or read; else None."""
    kind, _, rest = address.partition("://")
    if kind.lower() not in _LOCAL or "::" in address:
        return None
    path = Path("/" + rest.removeprefix("localhost").lstrip("/"))
    read = Path(unquote(str(path)))
    return path if path.exists() or not read.exists() else read


def with_plain_kind(address: str) -> str:
    """The same address, with the kind in small letters as filesystems know them."""
    links = (each.partition("://") for each in address.split("::"))
    return "::".join(f"{kind.lower()}{mark}{rest}" for kind, mark, rest in links)


def _name_of_link(link: str) -> str:
    kind, _, rest = link.partition("://")
    kind = kind.lower()
    if kind in _WEB:
        rest = rest.partition("#")[0]  # is never sent
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    if "@" in host:
        host = host.rpartition("@")[2]
    elif "@" in path and not _PORT.fullmatch(host):  # a password with a stroke in it: what is before the @ goes whole
        host, slash, path = ("…/" + path).rpartition("@")[2].partition("/")
    if kind in _WEB:
        host = host.lower()
    return f"{kind}://{host}{slash}{path}{_name_of_query(query)}"


def _name_of_query(query: str) -> str:
    if not query or _NAMED.fullmatch(query):
        return query and f"?{query}"
    given = [(each.partition("=")[0].lower(), each) for each in query.split("&") if each]
    names = {name for name, _ in given}
    hidden = _SECRET | {name for name in names if _SIGNED_BY.fullmatch(name)}
    for several in _SIGNED_WITH:
        found = {name for name in names if several.fullmatch(name)}
        hidden |= found if len(found) > 1 and found & {"signature", "sig"} else frozenset()
    told = [each for name, each in given if name not in hidden]
    return f"?…{hashlib.sha256('&'.join(told).encode()).hexdigest()[:12]}" if told else ""
