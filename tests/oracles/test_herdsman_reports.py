"""zigbee-herdsman's configureReporting on a meter of `smets1 emulate`: the reports it asked for arrive."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from harness.examples import DORMANT_SEMI
from hw_profiles.installation import load_installation
from tests.oracles.oracle_host import FOLDER, log_tail, require_herdsman
from tests.oracles.programs import EMULATED, emulate, free_port, running

pytestmark = [pytest.mark.sweep, pytest.mark.xdist_group("herdsman")]
SPEED = 10
PATIENCE_S = 90


def test_herdsman_receives_the_reports_it_configured(tmp_path: Path) -> None:
    node, port = require_herdsman(), free_port()
    meter = load_installation(DORMANT_SEMI).device("electricity")
    script = (node, FOLDER / "reports.mjs", "ember", f"tcp://127.0.0.1:{port}", tmp_path)
    told = (meter.eui64.replace("-", ""), str(meter.install_code), str(PATIENCE_S))
    with running(tmp_path / "emulate.log", *emulate(port, SPEED), ready=EMULATED):
        done = subprocess.run(
            [*map(str, script), *told], capture_output=True, text=True, timeout=PATIENCE_S + 30, check=False
        )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"{events[-1:]}\n{done.stderr}\n{log_tail(tmp_path)}"
    readings = [event["currentSummDelivered"] for event in events if event["event"] == "report"]
    assert len(readings) >= 4
    assert all(later > earlier for earlier, later in pairwise(readings))
