"""Timings, signal strength and links of the 2.4 GHz PHY (802.15.4-2006 6.5 and 7.4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.air import phy
from emulator.air.link import Link, LinkOverride, link_at
from emulator.air.phy import PathLoss, airtime_us, energy_level, lqi_of, scan_duration_us
from emulator.errors import FrameError


@pytest.mark.parametrize(
    ("name", "value_us", "symbols"),
    [
        ("aTurnaroundTime", phy.TURNAROUND_US, 12),
        ("CCA detection time", phy.CCA_US, 8),
        ("aUnitBackoffPeriod", phy.UNIT_BACKOFF_US, 20),
        ("macAckWaitDuration", phy.ACK_WAIT_US, 54),
        ("aBaseSuperframeDuration", phy.BASE_SUPERFRAME_US, 960),
        ("aResponseWaitTime", phy.RESPONSE_WAIT_US, 32 * 960),
        ("an acknowledgement of five octets", phy.ACK_US, (6 + 5) * 2),
    ],
)
def test_durations_are_those_of_the_standard_in_symbols_of_16_us(
    name: str, value_us: int, symbols: int
) -> None:
    assert value_us == symbols * 16, name


def test_an_acknowledgement_fits_the_wait_for_it() -> None:
    assert phy.TURNAROUND_US + phy.ACK_US < phy.ACK_WAIT_US


@pytest.mark.parametrize(("octets", "microseconds"), [(0, 192), (5, 352), (127, 4256)])
def test_an_octet_takes_32_us_after_six_of_preamble_and_header(octets: int, microseconds: int) -> None:
    assert airtime_us(octets) == microseconds


@pytest.mark.parametrize(("exponent", "milliseconds"), [(0, 30.72), (3, 138.24), (4, 261.12), (14, 251673.6)])
def test_a_scan_dwells_960_symbols_times_two_to_the_exponent_plus_one(
    exponent: int, milliseconds: float
) -> None:
    assert scan_duration_us(exponent) == pytest.approx(milliseconds * 1000)


@pytest.mark.parametrize("exponent", [-1, 15])
def test_a_scan_exponent_outside_0_to_14_is_refused(exponent: int) -> None:
    with pytest.raises(FrameError, match=rf"^MAC scan duration exponent {exponent}: expected 0 to 14$"):
        scan_duration_us(exponent)


@pytest.mark.parametrize(("dbm", "level"), [(-200, 0), (-100, 0), (-68, 128), (-36, 255), (10, 255)])
def test_energy_levels_span_minus_100_to_minus_36_dbm(dbm: int, level: int) -> None:
    assert energy_level(dbm) == level


@pytest.mark.parametrize(("dbm", "lqi"), [(-120, 0), (-100, 0), (-75, 128), (-50, 255), (0, 255)])
def test_link_quality_spans_the_sensitivity_to_minus_50_dbm(dbm: int, lqi: int) -> None:
    assert lqi_of(dbm) == lqi


@given(st.floats(-130, 20), st.floats(-130, 20))
def test_more_power_never_means_less_quality_or_energy(one: float, other: float) -> None:
    weaker, stronger = sorted((one, other))
    assert lqi_of(weaker) <= lqi_of(stronger)
    assert energy_level(weaker) <= energy_level(stronger)


@pytest.mark.parametrize(("metres", "rssi"), [(0, -37), (0.5, -37), (1, -37), (10, -67), (100, -97)])
def test_power_falls_thirty_decibels_a_decade_beyond_the_first_metre(metres: float, rssi: float) -> None:
    assert PathLoss().rssi(3, (0, 0), (metres, 0)) == pytest.approx(rssi)


@given(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), st.tuples(st.floats(-99, 99), st.floats(-99, 99)))
def test_the_path_is_the_same_both_ways(here: tuple[float, float], there: tuple[float, float]) -> None:
    assert PathLoss().rssi(0, here, there) == PathLoss().rssi(0, there, here)


@pytest.mark.parametrize(
    ("rssi", "override", "link"),
    [
        (-60, None, Link(-60, 204, 0.0)),
        (-95, None, Link(-95, 26, 0.0)),
        (-97.5, None, Link(-98, 13, 0.25)),
        (-100, None, Link(-100, 0, 0.5)),
        (-100.1, None, None),
        (-60, LinkOverride(audible=False), None),
        (-60, LinkOverride(rssi_dbm=-75), Link(-75, 128, 0.0)),
        (-60, LinkOverride(rssi_dbm=-101), None),
        (-120, LinkOverride(rssi_dbm=-60), Link(-60, 204, 0.0)),
        (-60, LinkOverride(loss=0.75), Link(-60, 204, 0.75)),
        (-100, LinkOverride(loss=0.0), Link(-100, 0, 0.0)),
        (-60, LinkOverride(), Link(-60, 204, 0.0)),
    ],
)
def test_a_link_is_what_its_power_gives_unless_a_scenario_fixes_it(
    rssi: float, override: LinkOverride | None, link: Link | None
) -> None:
    assert link_at(rssi, override) == link
