"""How alike pages are: one hash for equal texts, 64 bits that stay close when texts do.

The 64 bits are a simhash (Charikar 2002) over runs of three words. Each word has three independent
hashes, one for each place in a run; a run's hash is their exclusive-or. Bits are counted a column at
a time inside large integers, which is 30 times faster than a run at a time.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

WORDS_MAX = 50_000
_RUN = 3
_BYTES = 8
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def words_of(text: str) -> list[str]:
    """The words in lower case; where no spaces are written, every letter is one."""
    lowered = text.lower()
    if not lowered.isascii():
        lowered = _CJK.sub(lambda found: f" {found.group()} ", lowered)
    return lowered.split(maxsplit=WORDS_MAX)[:WORDS_MAX]


def text_hash(words: Sequence[str]) -> str:
    """One hash for texts that differ in spaces and case at most; empty for no text."""
    if not words:
        return ""
    return hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).hexdigest()


def simhash(words: Sequence[str]) -> int:
    """A signed 64 bit number; two texts that share most runs of words differ in few of its bits."""
    runs = len(words) - _RUN + 1
    if runs < 1:
        return 0
    hashed = b"".join(map(_word_hash, words))
    ones = int.from_bytes(b"\x01" * runs, "big")
    value = 0
    for column in range(_BYTES):
        mixed = 0
        for place in range(_RUN):
            start = column + _BYTES * place
            mixed ^= int.from_bytes(hashed[start :: _BYTES * _RUN][place : place + runs], "big")
        for bit in range(8):
            if 2 * (mixed >> bit & ones).bit_count() > runs:
                value |= 1 << (8 * column + bit)
    return value - (1 << 64) if value >= 1 << 63 else value


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two simhashes differ."""
    return ((one ^ other) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def groups(marks: Iterable[tuple[int, int]], *, bits_max: int = 5) -> Iterator[list[int]]:
    """Ids of pages whose simhashes lie within `bits_max` of the first of their group.

    With bits_max + 1 bands, two that are that close are equal in one band at least, so only pages
    that share a band are compared. A band that more than `_CROWD` first ones share is looked at no
    further: 30,000 pages stay seconds.
    """
    width = 64 // (bits_max + 1)
    mask = (1 << width) - 1
    bands: list[dict[int, list[int]]] = [{} for _ in range(bits_max + 1)]
    firsts: list[tuple[int, list[int]]] = []
    for page, mark in marks:
        unsigned = mark & 0xFFFF_FFFF_FFFF_FFFF
        keys = [unsigned >> (width * n) & mask for n in range(bits_max + 1)]
        home = None
        for band, key in zip(bands, keys, strict=True):
            for index in band.get(key, ()):
                if (firsts[index][0] ^ unsigned).bit_count() <= bits_max:
                    home = firsts[index][1]
                    break
            if home is not None:
                break
        if home is not None:
            home.append(page)
            continue
        firsts.append((unsigned, [page]))
        for band, key in zip(bands, keys, strict=True):
            crowd = band.setdefault(key, [])
            if len(crowd) < _CROWD:
                crowd.append(len(firsts) - 1)
    return (members for _, members in firsts if len(members) > 1)


_CROWD = 200


@lru_cache(maxsize=100_000)
def _word_hash(word: str) -> bytes:
    encoded = word.encode("utf-8", "replace")
    return hashlib.blake2b(encoded, digest_size=_BYTES * _RUN).digest()
