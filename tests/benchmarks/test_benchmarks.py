"""Each benchmark runs and measures something; how fast the machine is, is not tested."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import BENCHMARKS, main, table
from benchmarks.result import Result


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_measures_something(name: str) -> None:
    for result in BENCHMARKS[name](True):
        assert result.value > 0
        assert result.name
        assert result.peer is None or result.peer > 0


def test_the_ratio_says_how_many_times_better() -> None:
    assert Result("speed", 30.0, "blocks/s", "peer", 2.0).ratio == 15.0
    assert Result("time", 2.0, "ms", "peer", 30.0, smaller_is_better=True).ratio == 15.0
    assert Result("alone", 2.0, "ms").ratio is None


def test_results_come_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json", "decode"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["ratio"] == pytest.approx(result["value"] / result["peer"])


def test_the_table_has_a_row_for_each_result() -> None:
    assert table([Result("one", 1.0, "s"), Result("two", 2.0, "s", "peer", 1.0, 3.0)]).row_count == 2


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonesuch"])
    assert "nonesuch" in capsys.readouterr().err
