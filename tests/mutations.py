"""Damage of files as it happens, and as somebody would do it on purpose."""

import bz2
import gzip
import lzma
import random
import re
from collections.abc import Callable

NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
WORD = re.compile(rb"[A-Za-z_]{2,}")

NUMBERS = (
    *(b"nan", b"inf", b"-inf", b"1e308", b"-1e308", b"1e-320", b"0", b"-0.0", b"-1"),
    *(b"1e999", b"99999999999999999999", b"9" * 5000, b"0x1F", b"1_000", b"1.5.5", b""),
    *(b"'1'", b"true", b"null", b"~", b"[]", b"{}", b"1j", b"4294967296", b"1e12"),
)
WORDS = (
    *(b"", b"x", b"Xx", b"null", b"None", b"nan", b"../../..", b"/dev/zero", b"\x00"),
    *("ü€\u202e".encode(), b"\xff\xfe", b"a" * 5000, b"!!python/none", b"%s%n", b"*a"),
)
LINES = (
    *(b"", b"\x00" * 40, b"[" * 3000, b'{"a":' * 500, b"- " * 300, b"a: &a [*a]"),
    *(b"---", b"2024-13-45", b"a: !!int ''", b"a: !!binary x", b"? [a]", b"\t\tx: 1"),
    *(b'Lattice="0 0 0 0 0 0 0 0 0"', b"1000000000", b"0", b"<!DOCTYPE x>", b"}"),
)

Damage = Callable[[bytes, random.Random], bytes]


def _one(pattern: re.Pattern[bytes], values: tuple[bytes, ...]) -> Damage:
    def damage(content: bytes, rng: random.Random) -> bytes:
        found = list(pattern.finditer(content))
        if not found:
            return content + rng.choice(values)
        hit = rng.choice(found)
        return content[: hit.start()] + rng.choice(values) + content[hit.end() :]

    return damage


def flip_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 3, 20))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def double(content: bytes, _: random.Random) -> bytes:
    return content * 2


def remove_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def repeat_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    i = rng.randrange(len(lines))
    return b"".join([*lines[:i], *[lines[i]] * rng.choice((2, 50)), *lines[i:]])


def insert_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(LINES) + b"\n")
    return b"".join(lines)


def swap_words(content: bytes, rng: random.Random) -> bytes:
    found = WORD.findall(content) or [b"x"]
    old, new = rng.choice(found), rng.choice(found)
    return content.replace(old, new, rng.choice((1, -1)))


def replace_all(content: bytes, rng: random.Random) -> bytes:
    junk = (
        *(b"", b"\n", b"{}", b"[]", b"null", b"3", b"a: 1\n", b"\x00" * 100),
        *(rng.randbytes(300), b"PK\x03\x04" + rng.randbytes(60), b"\x80\x04."),
        *(lzma.compress(b"a: 1\n" * 2000), gzip.compress(b""), bz2.compress(b"1\n")),
    )
    return rng.choice(junk)


DAMAGES: tuple[Damage, ...] = (
    *[_one(NUMBER, NUMBERS)] * 4,
    *[_one(WORD, WORDS)] * 2,
    flip_bytes,
    truncate,
    double,
    remove_line,
    repeat_line,
    insert_line,
    swap_words,
    replace_all,
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return content with one to three kinds of damage."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(DAMAGES)(content, rng)
    return content
