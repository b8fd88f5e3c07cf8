"""A Debian package with another version, without unpacking what it holds."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

MAGIC, HEAD_BYTES = b"!<arch>\n", 60


def newer(package: Path, made: Path) -> None:
    """Write the same package with `+1` after its version (deb(5): an ar archive of a number, control and data)."""
    with made.open("wb") as out:
        out.write(MAGIC)
        for name, data in _members(package.read_bytes()):
            is_control = name.startswith("control.tar")
            body = _with_version(data) if is_control else data
            title = "control.tar" if is_control else name
            out.write(f"{title:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode())
            out.write(body + b"\n" * (len(body) % 2))


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(MAGIC)
    while at < len(archive):
        head = archive[at : at + HEAD_BYTES].decode()
        size = int(head[48:58])
        yield head[:16].strip().rstrip("/"), archive[at + HEAD_BYTES : at + HEAD_BYTES + size]
        at += HEAD_BYTES + size + size % 2


def _with_version(control: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(control)) as old, tarfile.open(fileobj=out, mode="w") as new:  # fmt: skip
        for entry in old:
            file = old.extractfile(entry)
            data = file.read() if file else b""
            if entry.name == "./control":
                lines = data.decode().splitlines()
                data = "".join(f"{line}+1\n" if line.startswith("Version:") else f"{line}\n" for line in lines).encode()  # fmt: skip
                entry.size = len(data)
            new.addfile(entry, io.BytesIO(data) if file else None)
    return out.getvalue()
