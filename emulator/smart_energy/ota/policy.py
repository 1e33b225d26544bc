"""How one device model behaves as an OTA client: every knob the fact sheet records, quirks included."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clock.kernel import MICROSECONDS as SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
CLAMP_US = HOUR


@dataclass(frozen=True, slots=True)
class OtaClientPolicy:
    """Identity and behaviour of an OTA client; times in microseconds, sizes in octets.

    Defaults are those of the most widespread client (fact sheet, OTA client behaviour); a profile overrides.
    """

    manufacturer: int
    image_type: int
    current_version: int
    hardware_version: int | None = None
    storage_size: int = 1 << 20

    block_size: int = 48
    request_interval_us: int = 0
    """Least time between two block requests; a sleepy meter has seconds here."""
    response_timeout_us: int = 3 * SECOND
    retry_backoff_us: int = 2 * SECOND
    max_retries: int = 10
    """Errors in a row after which the download is aborted (what was received is kept)."""
    save_granularity: int = 1024
    resumes: bool = True
    """Whether a restart continues at the saved offset rather than at zero."""
    node_address: int | None = None
    """The EUI-64 put into block requests, when the client does that."""

    start_delay_min_s: int = 1
    start_delay_max_s: int = 255
    query_interval_us: int = 5 * MINUTE
    query_retry_us: int = 5 * MINUTE
    max_query_errors: int = 10

    minimum_block_period_supported: bool = False
    minimum_block_period_unit_us: int = 1000
    """Milliseconds in cluster revisions 1 and 3, seconds in revision 2."""
    wait_for_data_supported: bool = True
    page_size: int = 0
    """Page size of Image Page Requests; 0 means block requests only."""
    page_spacing_ms: int = 50
    page_timeout_us: int = 5 * SECOND

    end_retry_us: int = 10 * MINUTE
    held_reask_us: int = HOUR
    max_missed_end_answers: int = 10
    apply_after_missed_answers: bool = True
    """UpgradeTimeoutPolicy: False is value 1, do not apply after a timeout."""
    out_of_band_activation: bool = False
    """UpgradeActivationPolicy: True is value 1, out-of-band activation only."""
    obeys_immediate: bool = True
    """Whether it activates when told to do so now; else it takes that for a hold."""
    obeys_timed: bool = True
    """Whether it waits for a given time; else it takes that for a hold, and asks until the time has come."""
    immediate_delay_us: int = 3 * SECOND
    refuses_downgrade: bool = False

    quirk_early_activation_60min: bool = False
    """Clamps any wait for the upgrade time to an hour and then activates without asking."""
    quirk_ignores_wait_for_data: bool = False
    """Goes on asking at its own pace when told to wait."""
    quirk_activates_immediately: bool = False
    """Activates at once whatever the upgrade time says."""
    quirk_never_activates: bool = False
    """Lets the countdown run out and does nothing."""

    def __post_init__(self) -> None:
        if not 1 <= self.block_size <= 255:
            raise ValueError(f"OTA block size {self.block_size} octets, expected 1 to 255")
        if self.save_granularity < 1:
            raise ValueError(f"OTA save granularity {self.save_granularity} octets, expected at least 1")
