"""What each command says when it is given what it cannot use: one line, that names it, and status 2.

Status 3 is for surroundings: what was asked for makes sense, but not here and now.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.command.main import BAD_INPUT, COMMANDS, ENVIRONMENT, main
from harness.examples import DORMANT_SEMI

HOME = str(DORMANT_SEMI)
ON_A_TERMINAL = ["emulate", HOME, "--ncp", "pty:dongle"]


def words_of(value: object) -> str:
    """Return the name of a case: the words of the command, without the path of the example."""
    return " ".join(value).replace(HOME, "HOME") if isinstance(value, list) else ""


@pytest.fixture(autouse=True)
def _a_folder_of_odd_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("empty").touch()
    Path("text").write_text("hello")
    Path("octets").write_bytes(bytes(range(256)))
    os.mkfifo("pipe")


def status_and_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return how the command ends, and its one line; nothing of it is on standard output."""
    try:
        status = main(words)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else -1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1, shown.err
    line = shown.err.strip()
    assert line.startswith("smets1: error: ")
    return status, line.removeprefix("smets1: error: ")


USAGE: list[tuple[list[str], str]] = [
    ([], "the following arguments are required: COMMAND; see: smets1 --help"),
    (["-x"], "the following arguments are required: COMMAND"),
    (["frob"], "argument COMMAND: invalid choice: 'frob' (choose from 'run', 'demo', 'check'"),
    (["run", HOME, "--seed", "1e3"], "argument --seed: '1e3': expected a whole number from 0 to"),
    (["run", HOME, "--speed", "0"], "argument --speed: '0': expected a number above 0, at most 1000"),
    (["run", HOME, "--capture-limit", "1"], "'1': expected a size of at least 1000 octets, as 100M or 1G"),
    (
        ["run", HOME, "--no-capture", "--capture-limit", "1M"],
        "argument --capture-limit: not allowed with argument --no-capture",
    ),
    (["run", HOME, "again"], "unrecognized arguments: again"),
    (["demo", "home.toml"], "unrecognized arguments: home.toml"),
    (["check"], "the following arguments are required: INSTALLATION.toml; see: smets1 check --help"),
    (["verify"], "the following arguments are required: DIR; see: smets1 verify --help"),
    (["report"], "the following arguments are required: DIR|report.json"),
    (["preflight", HOME], "the following arguments are required: --radio; see: smets1 preflight --help"),
    (["emulate", HOME], "one of the arguments --ncp --rcp is required; see: smets1 emulate --help"),
    (["emulate", HOME, "--ncp", "pty:a", "--rcp", "pty:b"], "--rcp: not allowed with argument --ncp"),
    ([*ON_A_TERMINAL, "--for", "x"], "argument --for: 'x': expected a number of seconds above 0"),
    ([*ON_A_TERMINAL, "--for", "nan"], "argument --for: 'nan': expected a number of seconds above 0"),
    ([*ON_A_TERMINAL, "--for", "inf"], "argument --for: 'inf': expected a number of seconds above 0"),
    ([*ON_A_TERMINAL, "--for", "-1"], "argument --for: '-1': expected a number of seconds above 0"),
    ([*ON_A_TERMINAL, "--for", "0"], "argument --for: '0': expected a number of seconds above 0"),
    (
        ["radios", "serial:x", "--backup", "a", "--restore", "b"],
        "argument --restore: not allowed with argument --backup",
    ),
    (["catalog"], "the following arguments are required: ACTION; see: smets1 catalog --help"),
    (
        ["catalog", "frob"],
        "argument ACTION: invalid choice: 'frob' (choose from 'init', 'key', 'supplier', 'party'",
    ),
    (["catalog", "add", "x.ota"], "the following arguments are required: --supplier"),
]


@pytest.mark.parametrize(("words", "line"), USAGE, ids=words_of)
def test_a_word_that_cannot_be_read_is_status_2(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = status_and_line(words, capsys)
    assert status == BAD_INPUT
    assert line in said
    assert said.endswith("--help")


INPUT: list[tuple[list[str], str]] = [
    (["run"], "run: expected either INSTALLATION.toml or --resume DIR"),
    (["run", HOME, "--resume", "folder"], "run: expected either INSTALLATION.toml or --resume DIR"),
    (["run", "nowhere"], "INSTALLATION.toml: nowhere: no such file; check the path"),
    (["run", "--resume", "folder"], "--resume: folder: holds no journal; give the folder of a stopped run"),
    (["run", "--resume", "nowhere"], "--resume: nowhere: holds no journal"),
    (["run", "--resume", "text"], "--resume: text: holds no journal"),
    (["run", HOME, "--image", "nowhere"], "--image: nowhere: no such file; check the path"),
    (["run", HOME, "--models", "text"], "--models: text: no such folder; check the path"),
    (
        ["run", HOME, "--out", "."],
        "--out: .: expected the name of a folder to be made; give one, as out/home",
    ),
    (["run", HOME, "--out", "/"], "--out: /: expected the name of a folder to be made"),
    (["run", HOME, "--out", "folder/.."], "--out: folder/..: expected the name of a folder to be made"),
    (
        ["run", HOME, "--radio", "pigeon"],
        "--radio: 'pigeon': expected inproc:, wire:, pty:[PATH], tcp:[HOST:PORT]",
    ),
    (["run", "text"], "text: not valid TOML"),
    (["run", "octets"], "octets: not UTF-8 text at octet 128; expected a TOML file"),
    (["run", "pipe"], "pipe: cannot be read (a pipe); expected a regular file"),
    (["run", "folder"], "folder: cannot be read (a folder); expected a regular file"),
    (["run", HOME, "--out", "o", "--image", "text"], "text: OTA file: no identifier 1ef1ee0b"),
    (["run", HOME, "--out", "o", "--image", "folder"], "folder: cannot be read (a folder)"),
    (
        ["run", HOME, "--out", "o", "--signing-key", "text"],
        "text: not an unencrypted PEM private key; make one with",
    ),
    (
        ["run", HOME, "--out", "o", "--signing-key", "pipe"],
        "pipe: cannot be read (a pipe); expected a regular file",
    ),
    (
        ["run", HOME, "--out", "o", "--radio", "serial:/dev/nope"],
        "--radio: serial:/dev/nope: may reach real meters, and this version's parties hold rehearsal keys only",
    ),
    (["emulate", "nowhere", "--ncp", "pty:d"], "INSTALLATION.toml: nowhere: no such file"),
    (["emulate", "text", "--ncp", "pty:d"], "text: not valid TOML"),
    (["emulate", HOME, "--ncp", "inproc:"], "--ncp: 'inproc:': expected pty:/path or tcp:HOST:PORT"),
    (
        ["emulate", HOME, "--rcp", "serial:/dev/x"],
        "--rcp: 'serial:/dev/x': expected pty:/path or tcp:HOST:PORT",
    ),
    (
        ["emulate", HOME, "--ncp", "pty:"],
        "--ncp: 'pty:': expected pty:/path or tcp:HOST:PORT, where a host can open",
    ),
    (
        ["emulate", HOME, "--ncp", "tcp:127.0.0.1:0"],
        "--ncp: 'tcp:127.0.0.1:0': expected tcp:HOST:PORT, with a port",
    ),
    (["emulate", HOME, "--ncp", "tcp:127.0.0.1:99999"], "with a port from 1 to 65535"),
    ([*ON_A_TERMINAL, "--sniffer", "wire:"], "--sniffer: 'wire:': expected pty:/path or tcp:HOST:PORT"),
    (
        [*ON_A_TERMINAL, "--sniffer", "pty:dongle"],
        "--sniffer: pty:dongle: --ncp is served there already; choose another place",
    ),
    (
        ["emulate", HOME, "--rcp", "tcp:127.0.0.1:9000", "--sniffer", "tcp:127.0.0.1:9000"],
        "--sniffer: tcp:127.0.0.1:9000: --rcp is served there already",
    ),
    ([*ON_A_TERMINAL, "--models", "nowhere"], "--models: nowhere: no such folder"),
    (["verify", "nowhere"], "nowhere: there is no such folder; give the folder of a run"),
    (["verify", "text"], "text: there is no such folder; give the folder of a run"),
    (
        ["verify", "folder", "--trust", "x"],
        "--trust: 'x': expected the 64 hexadecimal digits that verify prints",
    ),
    (["report", "nowhere"], "nowhere: no report; finish the run with: smets1 run --resume nowhere"),
    (["report", "folder"], "report.json: no report; finish the run with"),
    (["report", "text"], "text: report: not JSON"),
    (["report", "octets"], "octets: not UTF-8 at octet 128; expected a report.json"),
    (["report", "pipe"], "pipe: cannot be read (a pipe); expected a regular file"),
    (["models", "--show", ""], "--show: '': no such model; see: smets1 models"),
    (["models", "--show", "../secure"], "--show: '../secure': no such model"),
    (["models", "--models", "text"], "--models: text: no such folder"),
    (["check", "nowhere"], "INSTALLATION.toml: nowhere: no such file"),
    (["check", HOME, "--image", "nowhere"], "--image: nowhere: no such file"),
    (["preflight", HOME, "--radio", ""], "--radio: '': expected inproc:, wire:"),
    (["preflight", "nowhere", "--radio", "inproc:"], "INSTALLATION.toml: nowhere: no such file"),
    (["radios", "pigeon"], "WHERE: 'pigeon': expected inproc:, wire:, pty:[PATH], tcp:[HOST:PORT]"),
    (["radios", "tcp:"], "WHERE: 'tcp:': expected serial:/dev/..., pty:/path or tcp:HOST:PORT"),
    (["radios", "--restore", "x"], "--backup and --restore take one WHERE, such as serial:/dev/ttyUSB0"),
    (
        ["radios", "--overwrite-network"],
        "--overwrite-network belongs to --restore FILE; give both or neither",
    ),
    (
        ["radios", "serial:x", "--backup", "b", "--overwrite-network"],
        "--overwrite-network belongs to --restore",
    ),
    (["radios", "serial:x", "--restore", "text"], "text: not a backup in zigpy's open format"),
    (
        ["radios", "serial:x", "--restore", "folder"],
        "folder: cannot be read (a folder); expected a regular file",
    ),
    (["catalog", "list"], "catalogue catalogue: not there; create it with `smets1 catalog init`"),
    (["catalog", "list", "--catalogue", "folder"], "catalogue folder: not there"),
    (["catalog", "show", "zz"], "catalogue catalogue: not there"),
    (["catalog", "remove", "x"], "catalogue catalogue: not there"),
    (["catalog", "refresh"], "catalogue catalogue: not there; create it with `smets1 catalog init`"),
    (
        ["catalog", "add", "text", "--supplier", "90-B3-D5-1F-30-03-00-00", "--model", "m"],
        "text: OTA file: no identifier 1ef1ee0b; expected a ZigBee OTA upgrade file",
    ),
]


@pytest.mark.parametrize(("words", "line"), INPUT, ids=words_of)
def test_what_cannot_be_used_is_status_2_and_leaves_nothing_behind(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir())
    status, said = status_and_line(words, capsys)
    assert status == BAD_INPUT
    assert line in said
    assert sorted(os.listdir()) == before


SURROUNDINGS: list[tuple[list[str], str]] = [
    (
        ["run", HOME, "--out", "text"],
        "--out: text is not empty; choose another, or continue it: smets1 run --resume",
    ),
    (["demo", "--out", "text"], "--out: text is not empty; choose another"),
    (["run", HOME, "--out", "empty/o"], "empty/o: cannot begin a run there"),
    ([*ON_A_TERMINAL, "--state", "folder"], "device memory folder: unable to open database file"),
    ([*ON_A_TERMINAL, "--state", "text"], "device memory text: file is not a database; it is damaged"),
    ([*ON_A_TERMINAL, "--capture", "folder"], "folder: Is a directory; give the name of a file"),
    (
        [*ON_A_TERMINAL, "--capture", "no/air.pcapng"],
        "no/air.pcapng: No such file or directory; check the path",
    ),
    (
        ["emulate", HOME, "--ncp", "pty:folder"],
        "pty:folder: cannot make the link, File exists; choose a path that",
    ),
    (["emulate", HOME, "--ncp", "pty:text"], "pty:text: cannot make the link, File exists"),
    (
        ["emulate", HOME, "--ncp", "pty:no/dongle"],
        "pty:no/dongle: cannot make the link, No such file or directory",
    ),
    (["radios", "serial:nowhere"], "nowhere: no such port; smets1 radios lists what is attached"),
    (["radios", "serial:folder"], "folder: not a serial port"),
    (["radios", "serial:text", "--backup", "b"], "text: not a serial port"),
    (["radios", "serial:pipe"], "pipe: not a serial port"),
]


@pytest.mark.parametrize(("words", "line"), SURROUNDINGS, ids=words_of)
def test_what_stands_in_the_way_is_status_3(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = status_and_line(words, capsys)
    assert status == ENVIRONMENT
    assert line in said


@pytest.mark.parametrize("name", ["text", "octets", "pipe", "folder", "empty"])
def test_a_file_that_is_no_installation_is_a_finding_of_check(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", name]) == BAD_INPUT
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"refused   {name}: ")
    assert main(["check", name, "--json"]) == BAD_INPUT
    found = json.loads(capsys.readouterr().out)
    assert (found["ready"], found["plan"], len(found["findings"])) == (False, None, 1)


@pytest.mark.parametrize("name", ["text", "pipe", "folder", "empty", "nowhere"])
def test_a_file_that_is_no_image_is_told_by_catalog_check_beside_the_others(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["catalog", "check", name, name]) == BAD_INPUT
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{name}: not checked: ") for line in lines)


def test_a_folder_that_holds_no_run_does_not_prove_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "folder", "--json"]) == 1
    (finding,) = [each for each in json.loads(capsys.readouterr().out) if each["subject"] == "journal.sqlite"]
    assert finding["holds"] is False
    assert "there is no journal" in finding["detail"]


def test_preflight_fails_when_run_folders_cannot_go_where_they_are_to_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["preflight", HOME, "--radio", "inproc:", "--out", "text", "--json"]) == 1
    (disk,) = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "disk"]
    assert (disk["outcome"], disk["text"]) == (
        "failed",
        "text is no folder that run folders can go into; choose another",
    )


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_explains_itself_with_its_statuses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: smets1 {command}")
    assert "examples:" in shown
    assert "exit status" in shown


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_an_option_that_a_command_does_not_have_is_named(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = status_and_line([command, "--frobnicate"], capsys)
    assert status == BAD_INPUT
    assert "--frobnicate" in said or "required" in said
