"""Unpack a compressed body piece by piece, never more of it than there is room for."""

import zlib
from collections.abc import Iterator

_MEMBERS_MAX = 1000
_GZIP_OR_ZLIB = 47
_RAW_DEFLATE = -15


class Bomb(ValueError):
    """The body unpacks to far more than it weighs."""


class Unpacker:
    """Decodes identity, gzip and deflate; `ratio_max` is checked once a megabyte is out.

    Raises ValueError for any other encoding, zlib.error for broken data, Bomb for a bomb.
    """

    def __init__(self, encoding: str, *, ratio_max: int) -> None:
        self._encoding = encoding.strip().lower() or "identity"
        if self._encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise ValueError(f"content encoding {encoding[:60]!r} was not asked for")
        self._ratio_max = ratio_max
        self._engine = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._members = 1
        self._head: bytes | None = b""  # of a deflate body, until it tells which kind it is
        self.arrived = 0
        self.unpacked = 0

    def feed(self, chunk: bytes, piece_bytes_max: int = 65536) -> Iterator[bytes]:
        """Yield what the chunk unpacks to, in pieces, so that the caller can stop in the middle."""
        self.arrived += len(chunk)
        if self._encoding == "identity":
            self.unpacked += len(chunk)
            yield chunk
            return
        if self._encoding == "deflate":
            chunk = self._whole_head(chunk)
            if self._engine.eof:
                return
        full = False
        while chunk or full:
            piece = self._engine.decompress(chunk, piece_bytes_max)
            self.unpacked += len(piece)
            self._check(self.arrived - len(self._engine.unconsumed_tail))
            if piece:
                yield piece
            if not self._engine.eof:
                # Output may wait inside the engine although the input is used up.
                chunk, full = self._engine.unconsumed_tail, len(piece) == piece_bytes_max
                continue
            if self._encoding == "deflate":
                return
            chunk, full = self._engine.unused_data.lstrip(b"\0"), False
            self._members += 1
            self._engine = zlib.decompressobj(_GZIP_OR_ZLIB)

    def _whole_head(self, chunk: bytes) -> bytes:
        """The chunk with what came before it, once the two bytes that tell the kind are there."""
        if self._head is None:
            return chunk
        chunk = self._head + chunk
        if len(chunk) < 2:
            self._head = chunk
            return b""
        self._head = None
        self._engine = zlib.decompressobj(_deflate_window(chunk))
        return chunk

    def _check(self, weight: int) -> None:
        if self._members > _MEMBERS_MAX:
            raise Bomb(f"more than {_MEMBERS_MAX} gzip members")
        if self.unpacked > 1_000_000 and self.unpacked > self._ratio_max * weight:
            raise Bomb(f"{weight} bytes unpack to more than {self.unpacked}")


def _deflate_window(head: bytes) -> int:
    """Tell zlib-wrapped deflate, as specified, from the raw kind that some servers send."""
    wrapped = head[0] & 0x0F == 8 and (head[0] << 8 | head[1]) % 31 == 0
    return zlib.MAX_WBITS if wrapped else _RAW_DEFLATE
