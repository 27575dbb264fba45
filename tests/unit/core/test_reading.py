"""Are files opened that can be read, and all others refused in bounded time?"""

import bz2
import gzip
import lzma
import os
import socket

import pytest

from atomgraft.core import reading
from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import expanded, read_lines, read_log, read_text

COMPRESSORS = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "file.txt"


@pytest.mark.parametrize("suffix", ["", *COMPRESSORS])
def test_text_comes_back_as_it_was(tmp_path, suffix):
    path = tmp_path / f"file.txt{suffix}"
    text = "first\nAngström Å\nlast without end"
    path.write_bytes(COMPRESSORS.get(suffix, bytes)(text.encode()))
    assert read_text(path) == text
    assert list(read_lines(path)) == text.splitlines(keepends=True)
    with expanded(path) as plain:
        assert plain.name == "file.txt"
        assert plain.read_text() == text


def test_a_copy_is_gone_afterwards(tmp_path):
    path = tmp_path / "OUTCAR.gz"
    path.write_bytes(gzip.compress(b"text"))
    with expanded(path) as plain:
        assert plain.exists()
    assert not plain.parent.exists()
    assert path.exists()


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_file_that_expands_too_far_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(reading, "ALWAYS_EXPANDED", 1024**2)
    path = tmp_path / f"bomb.yaml{suffix}"
    path.write_bytes(COMPRESSORS[suffix]((b"1" * 999 + b"\n") * 10_000))
    limit = max(reading.ALWAYS_EXPANDED, reading.MAX_RATIO * path.stat().st_size)
    pieces, n_given = reading._pieces, []

    def counted(*given):
        for piece in pieces(*given):
            n_given.append(len(piece))
            yield piece

    monkeypatch.setattr(reading, "_pieces", counted)
    with pytest.raises(BadInputError, match="expands to more than"):
        read_text(path)
    with pytest.raises(BadInputError, match="expands to more than"):
        list(read_lines(path, max_bytes=None))
    with pytest.raises(BadInputError, match="expands to more than"), expanded(path):
        pass
    assert 0 < sum(n_given) <= 3 * limit


def test_what_expands_as_data_do_is_read(tmp_path, monkeypatch):
    """Negative control: the same limits let numbers pass."""
    monkeypatch.setattr(reading, "ALWAYS_EXPANDED", 1024)
    path = tmp_path / "numbers.txt.gz"
    text = "".join(f"{i * 0.7316:.8f}\n" for i in range(10_000))
    path.write_bytes(gzip.compress(text.encode()))
    assert read_text(path) == text


def test_a_long_line_ends_before_the_memory_does(tmp_path):
    path = tmp_path / "bomb.extxyz.xz"
    path.write_bytes(lzma.compress(b" " * 3_000_000))
    with pytest.raises(BadInputError, match="a line longer than 1 MiB"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_a_file_that_is_cut_off_is_refused(tmp_path, suffix, keep):
    path = tmp_path / f"file.txt{suffix}"
    content = COMPRESSORS[suffix](os.urandom(2000).hex().encode())
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(BadInputError, match=r"cannot be read|is empty"):
        read_text(path)


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    socket.socket(socket.AF_UNIX).bind(str(path))


def make_device(path):
    path.symlink_to("/dev/zero")


def make_folder(path):
    path.mkdir()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (make_fifo, "a pipe"),
        (make_socket, "a socket"),
        (make_device, "a device"),
        (make_folder, "a folder"),
    ],
)
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path, monkeypatch, make, kind):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = reading.Path("special.gz")
    make(path)
    for read in (read_text, read_log, lambda path: list(read_lines(path))):
        with pytest.raises(BadInputError, match=f"is {kind}"):
            read(path)
    with pytest.raises(BadInputError, match=f"is {kind}"), expanded(path):
        pass


def make_loop(path):
    path.symlink_to(path.name)


def make_nothing(path):
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [(make_loop, "symbolic links"), (make_nothing, "does not exist.")],
)
def test_a_name_that_leads_nowhere_is_refused(place, make, reason):
    make(place)
    with pytest.raises(BadInputError, match=reason):
        read_text(place)


@pytest.mark.parametrize("name", ["x" * 5000, "zero\0byte", "line\nend"])
def test_a_name_that_no_disk_can_hold_is_refused_on_one_line(tmp_path, name):
    with pytest.raises(BadInputError, match=r"cannot be read|does not exist") as caught:
        read_text(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_refused(place):
    place.write_text("secret")
    place.chmod(0)
    with pytest.raises(BadInputError, match="may not read"):
        read_text(place)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"a\0b", "a zero byte"), (b"a\xff", "byte 0xff")],
)
def test_what_is_no_text_is_refused(place, content, reason):
    place.write_bytes(content)
    with pytest.raises(BadInputError, match=reason):
        read_text(place)
    with pytest.raises(BadInputError, match=reason):
        list(read_lines(place))


def test_a_large_file_is_refused(place):
    place.write_text("0123456789" * 10)
    with pytest.raises(BadInputError, match="holds more than"):
        read_text(place, max_bytes=99)
    assert len(read_text(place, max_bytes=100)) == 100


def test_a_log_may_be_damaged(place):
    place.write_bytes(b'{"step": 1}\n\xff\0\n{"st')
    assert read_log(place) == ['{"step": 1}', "\ufffd\0", '{"st']
