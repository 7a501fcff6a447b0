"""The child process that reads HDF5: libhdf5 can crash or hang on hostile bytes, and then only this process does.

Run as a script by `isolating`, it takes one request as JSON on stdin and answers on stdout. It imports nothing of
this package, opens the one file it is told to, follows no link, and cannot write a file.

    {"do": "scan", …}             the structure as records, each after the group it stands in (see `outline`)
    {"do": "read", "paths": […]}  for each data set a line of JSON with type and size, then blocks: a line with the
                                  number of bytes, then the bytes
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any

LARGEST_ATTRIBUTE = 64 << 20  # bytes
BLOCK = 8 << 20  # bytes read and handed over at a time


def main() -> None:
    """Answer one request; a fault that Python sees is answered with its text."""
    request = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = request["sys_path"]
    import h5py

    limit(request["memory_bytes"], request["cpu_seconds"])
    out = sys.stdout.buffer
    try:
        with h5py.File(source_of(request), "r") as file:
            if request["do"] == "scan":
                records = list(scan(file, located=request["inflated"] is None))
                out.write(json.dumps({"limited": LIMITED, "records": records}).encode())
            else:
                for path in request["paths"]:
                    send(file, path, out)
    except MemoryError:
        out.write(json.dumps({"fault": "asks for more memory than it can need"}).encode() + b"\n")
    except Exception as error:  # noqa: BLE001  # whatever h5py raises becomes the parent's CheckpointError
        out.write(json.dumps({"fault": f"{type(error).__name__}: {str(error)[:300]}"}).encode() + b"\n")
    out.flush()


LIMITED = False


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound what this process may still take, where the platform can."""
    global LIMITED
    try:
        import resource
    except ImportError:  # Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    mapped = mapped_bytes()
    if mapped:  # elsewhere than on Linux the address space is not bounded in earnest
        limits[resource.RLIMIT_AS] = mapped + memory_bytes
        LIMITED = True
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]  # a batch system may allow less
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def mapped_bytes() -> int:
    """Address space in use; 0 where that cannot be told."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123  # pathlib is not worth its import here
            pages = int(file.read().split()[0])
    except OSError:
        return 0
    import resource

    return pages * resource.getpagesize()


def source_of(request: dict[str, Any]) -> Any:
    """The file, the window of an archive in which it lies, or what that inflates to."""
    if request["start"] is None:
        return request["path"]
    window = Window(request["path"], request["start"], request["length"])
    if request["inflated"] is None:
        return window
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    return io.BytesIO(unpack.decompress(window.read(), request["inflated"]))


class Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, path: str, start: int, length: int) -> None:
        self._file = open(path, "rb")  # noqa: PTH123, SIM115
        self._start, self._length, self._here = start, length, 0

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._here = offset + (0, self._here, self._length)[whence]
        return self._here

    def tell(self) -> int:
        return self._here

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._here)
        view = memoryview(buffer)[: max(0, self._length - self._here)]
        count = self._file.readinto(view)
        self._here += count
        return count


def scan(file: Any, *, located: bool) -> Iterator[dict[str, Any]]:
    """A record for each object, breadth by breadth; what is linked twice is not entered.

    Args:
        file: as h5py opened it.
        located: whether offsets lead to bytes of the file on disk.
    """
    import h5py

    start = h5py.h5o.open(file.id, b"/")
    yield {"in": 0, "name": "", "kind": "group", "attrs": attributes(start)}
    ahead: deque[tuple[int, Any]] = deque([(0, start)])
    count = 1
    while ahead:
        place, group = ahead.popleft()
        for raw in group:  # names only: nothing is opened yet
            name = raw.decode("utf-8", "surrogateescape")
            where = {"in": place, "name": name}
            strange = link_kind(group, raw)
            if strange:
                yield {**where, "kind": "link", "what": strange}
                continue
            found = h5py.h5o.open(group, raw)
            if h5py.h5o.get_info(found).rc > 1:
                what = "a group or data set that is linked several times"
                yield {**where, "kind": "link", "what": what}
            elif isinstance(found, h5py.h5g.GroupID):
                yield {**where, "kind": "group", "attrs": attributes(found)}
                ahead.append((count, found))
                count += 1
            elif isinstance(found, h5py.h5d.DatasetID):
                values = describe(found)
                if not located:
                    values["offset"] = None
                yield {**where, "kind": "dataset", **values}
            else:
                yield {**where, "kind": "link", "what": "a type without values"}


def link_kind(group: Any, name: bytes) -> str:
    """What a link is, in words; empty for a hard link."""
    import h5py

    info = group.links.get_info(name)
    if info.type == h5py.h5l.TYPE_HARD:
        return ""
    if info.type == h5py.h5l.TYPE_SOFT:
        return f"a soft link to {text(group.links.get_val(name))!r}"
    if info.type == h5py.h5l.TYPE_EXTERNAL:
        return f"an external link to {text(group.links.get_val(name)[1])!r}"
    return "a link of an unknown kind"


def describe(found: Any) -> dict[str, Any]:
    """A data set: shape, type, where its values lie and how many bytes there are."""
    import h5py

    plan = found.get_create_plist()
    layout = plan.get_layout()
    dtype, order, plain = number_type(found.get_type())
    shape = found.shape
    in_one_piece = layout == h5py.h5d.CONTIGUOUS and plan.get_external_count() == 0
    return {
        "shape": list(shape) if shape is not None else [0],
        "dtype": dtype,
        "order": order,
        "stored": found.get_storage_size(),
        "offset": found.get_offset() if in_one_piece and plain else None,  # from the file's start, user block included
        "chunk": list(plan.get_chunk()) if layout == h5py.h5d.CHUNKED else None,
        "elsewhere": layout == h5py.h5d.VIRTUAL or plan.get_external_count() > 0,
        "attrs": attributes(found),
    }


def number_type(kind: Any) -> tuple[str, str, bool]:
    """Numpy's name of a type, its byte order, and whether numpy reads its bytes as they are."""
    import h5py
    import numpy as np

    if isinstance(kind, h5py.h5t.TypeOpaqueID):
        return f"opaque{8 * kind.get_size()}", "<", True
    if isinstance(kind, h5py.h5t.TypeStringID):
        return "text", "<", False
    if isinstance(kind, h5py.h5t.TypeReferenceID):
        return "references", "<", False
    if isinstance(kind, h5py.h5t.TypeCompoundID):
        fields = ", ".join(text(kind.get_member_name(k)) for k in range(min(kind.get_nmembers(), 4)))
        return f"records of {fields}", "<", False
    dtype = kind.dtype
    if dtype.kind not in "fiub":
        return f"values of type {dtype}", "<", False
    plain = kind.equal(h5py.h5t.py_create(dtype, logical=True))
    order = ">" if dtype.byteorder == ">" or (dtype.byteorder == "=" and sys.byteorder == "big") else "<"
    return np.dtype(dtype).name, order, bool(plain)


def attributes(found: Any) -> dict[str, Any]:
    """Texts, numbers and lists of them; other kinds are left out."""
    import h5py

    count = h5py.h5a.get_num_attrs(found)
    if not count:
        return {}
    values: dict[str, Any] = {}
    for index in range(count):
        attribute = h5py.h5a.open(found, index=index)
        value = attribute_value(found, attribute)
        if value is not None:
            values[text(attribute.name)] = value
    return values


def attribute_value(found: Any, attribute: Any) -> Any:
    import h5py

    space, kind = attribute.get_space(), attribute.get_type()
    numeric = isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID | h5py.h5t.TypeEnumID)
    if not numeric and not isinstance(kind, h5py.h5t.TypeStringID):
        return None
    if space.get_simple_extent_npoints() * kind.get_size() > LARGEST_ATTRIBUTE:
        raise MemoryError
    owner = h5py.Dataset(found) if isinstance(found, h5py.h5d.DatasetID) else h5py.Group(found)
    return plain_value(owner.attrs.get(attribute.name.decode("utf-8", "surrogateescape")), numeric=numeric)


def plain_value(value: Any, *, numeric: bool) -> Any:
    if value is None or type(value).__name__ == "Empty":
        return [] if not numeric else None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain_value(each, numeric=numeric) for each in value]
    return value if numeric else text(value)


def text(value: Any) -> str:
    """Bytes that are no UTF-8 keep their place as lone surrogates, which the parent refuses in names."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def send(file: Any, path: str, out: Any) -> None:
    """A data set's header and values, in blocks along its first axis."""
    import numpy as np

    found = file[path]
    dtype = found.dtype.newbyteorder("=")
    out.write(json.dumps({"dtype": dtype.name, "shape": list(found.shape), "bytes": found.nbytes}).encode() + b"\n")
    if not found.nbytes:
        return
    if not found.shape:
        send_block(np.asarray(found[()], dtype), out)
        return
    step = max(1, BLOCK // (found.nbytes // found.shape[0]))
    if found.chunks and step > found.chunks[0]:
        step -= step % found.chunks[0]  # a chunk is unpacked once
    for first in range(0, found.shape[0], step):
        send_block(np.ascontiguousarray(found[first : first + step], dtype), out)


def send_block(values: Any, out: Any) -> None:
    out.write(json.dumps({"block": values.nbytes}).encode() + b"\n")
    out.write(values.tobytes())


if __name__ == "__main__":
    main()
