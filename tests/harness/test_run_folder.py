from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from harness.run_folder import JOURNAL_FILE, NOT_A_FILE, digests_of, sealable

READER = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM entry').fetchall(); c.close()"


def test_every_file_has_a_digest_and_what_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "home.toml").write_text("x")
    (tmp_path / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    digests = digests_of(tmp_path)
    assert list(digests) == ["inputs/home.toml", "link", "pipe"]
    assert digests["link"] == digests["pipe"] == NOT_A_FILE
    assert digests["inputs/home.toml"].startswith("2d711642b726b044")


def test_a_journal_in_use_keeps_its_locks_while_its_folder_is_sealed(tmp_path: Path) -> None:
    journal = sqlite3.connect(tmp_path / JOURNAL_FILE)
    journal.execute("PRAGMA journal_mode=WAL")
    journal.execute("CREATE TABLE entry (sequence)")
    journal.commit()
    (tmp_path / "world.sqlite").write_bytes(b"x")
    assert list(sealable(tmp_path)) == ["world.sqlite"]
    # A reader that leaves takes the log away with it when nobody else seems to be there.
    subprocess.run([sys.executable, "-c", READER, str(tmp_path / JOURNAL_FILE)], check=True)
    assert (tmp_path / f"{JOURNAL_FILE}-wal").exists()
    journal.execute("INSERT INTO entry VALUES (1)")
    journal.commit()
    journal.close()
