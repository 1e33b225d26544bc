from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_profiles.errors import FileRefusedError
from hw_profiles.regular_file import read_regular_file


def refusal(path: Path, limit: int = 100) -> str:
    with pytest.raises(FileRefusedError) as caught:
        read_regular_file(path, limit)
    message = str(caught.value)
    assert "\n" not in message
    return message


@given(data=st.binary(max_size=64), limit=st.integers(0, 64))
def test_a_file_is_read_whole_or_refused_by_its_size(tmp_path: Path, data: bytes, limit: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    if len(data) <= limit:
        assert read_regular_file(path, limit) == data
    else:
        assert refusal(path, limit).endswith(
            f"file: {len(data)} octets; expected at most {limit} for a file of its kind"
        )


def test_a_symbolic_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "link", 100) == b"content"


def test_a_file_larger_than_its_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    assert "68719476736 octets; expected at most 100" in refusal(path)


def test_a_file_that_states_no_size_is_bounded_all_the_same() -> None:
    path = Path("/proc/self/smaps")
    if not path.is_file():
        pytest.skip("no /proc here")
    assert path.stat().st_size == 0
    assert "more than 100 octets" in refusal(path)


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").endswith("pipe: cannot be read (a pipe); expected a regular file")


def test_a_device_that_never_ends_is_refused() -> None:
    assert refusal(Path("/dev/zero")) == "/dev/zero: cannot be read (a device); expected a regular file"


def test_a_device_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.open", lambda *_: pytest.fail("opening a device may do something to it"))
    refusal(Path("/dev/null"))


def test_what_became_a_pipe_after_it_was_looked_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    regular = os.stat(tmp_path / "file")
    monkeypatch.setattr("os.stat", lambda *_, **__: regular)
    assert "a pipe" in refusal(tmp_path / "pipe")


def test_a_folder_a_socket_and_a_circle_of_links_are_refused(tmp_path: Path) -> None:
    assert "(a folder)" in refusal(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        assert "(a socket)" in refusal(tmp_path / "socket")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "its symbolic links lead in a circle" in refusal(tmp_path / "a")


def test_an_absent_file_and_an_impossible_name_are_refused_on_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no").endswith("no: cannot be read (there is no such file); check the path")
    assert "null character" in refusal(tmp_path / "a\0b")
    assert "there is no such file" in refusal(tmp_path / "two\nlines")
