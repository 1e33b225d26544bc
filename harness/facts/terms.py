"""Words that facts are told in: how much a person should care, how a thing ended, where an enrolment stands."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an entry of the journal is."""

    HEADER = "header"
    INTENT = "intent"
    OUTCOME = "outcome"
    OBSERVATION = "observation"
    DECISION = "decision"
    EXCEPTION = "exception"
    FILE = "file"
    CHECKPOINT = "checkpoint"
    REHEARSAL = "rehearsal"
    """What was done to an emulated home, which no real one could tell."""


class Status(StrEnum):
    """How an effect ended."""

    DONE = "done"
    FAILED = "failed"


class Severity(StrEnum):
    """How much a person should care."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


class Verdict(StrEnum):
    """How the campaign ended for the installation."""

    COMMISSIONED = "commissioned"
    ELECTRICITY_ONLY = "electricity-only"
    NOT_MIGRATED = "not-migrated"
    RETURNED = "returned-to-supplier"
    PLANNED = "planned"
    STOPPED = "stopped"


class StepResult(StrEnum):
    """How one configuration step ended."""

    APPLIED = "applied"
    ALREADY = "already"
    SKIPPED = "skipped"
    FAILED = "failed"
    PENDING = "pending"


class Reading(StrEnum):
    """When a battery's charge was read: on either side of the upgrades."""

    BEFORE = "before"
    AFTER = "after"


class CertificateRole(StrEnum):
    """Whose certificate it is."""

    SUPPLIER = "supplier"
    NETWORK_OPERATOR = "DNO"
    GAS_TRANSPORTER = "GT"


class KeyRole(StrEnum):
    """Which of a device's two control keys."""

    CRITICAL = "critical"
    NON_CRITICAL = "non-critical"


class Retry(StrEnum):
    """What it takes to try an enrolment again."""

    AUTOMATIC = "automatic"
    NEXT_DAY = "next-day"
    """It failed for nothing of its own: tried again when the day's capacity is new, at the cost of no attempt."""
    RESOLUTION = "needs-resolution"
    NEVER = "never"


class State(StrEnum):
    """Where an installation stands on its way to enrolment."""

    DISCOVERED = "discovered"
    ACTIVE = "active"
    ACTIVE_SURVEYED = "active-surveyed"
    DORMANT = "dormant"
    UNSCHEDULED = "unscheduled"
    """Dormant, and no work on it announced: its devices are asked first what they run."""
    UNSCHEDULED_SURVEYED = "unscheduled-surveyed"
    INELIGIBLE = "ineligible"
    FIRMWARE_SCHEDULED = "firmware-schedule-notified"
    NOTICE_GIVEN = "notice-given"
    SURVEYED = "surveyed"
    WORK_PLANNED = "work-planned"
    UPGRADED = "upgraded"
    PREPARED = "prepared"
    ELIGIBLE = "eligible"
    MIGRATION_SCHEDULED = "migration-schedule-notified"
    AUTHORISED = "authorised"
    COMMON_FILE_SENT = "common-file-sent"
    COMMON_VALIDATED = "common-validated"
    COMMON_REJECTED = "common-rejected"
    DEFERRED = "deferred"
    GROUP_FILES_RECEIVED = "group-files-received"
    VIABLE = "viable"
    NOT_VIABLE = "not-viable"
    RETRY_PAUSED = "retry-paused"
    CUT_OVER = "cut-over"
    KEYS_ROTATED = "keys-rotated"
    LOCK_OUT_TRIED = "lock-out-tried"
    COMMISSIONING = "commissioning"
    CERTIFICATES_AWAITED = "certificates-awaited"
    # Where it rests.
    RETURNED = "returned-to-supplier"
    NOT_AS_RECORDED = "not-as-recorded"
    NO_ROUTE = "no-route"
    FIRMWARE_FAILED = "firmware-failed"
    CONFIGURATION_FAILED = "configuration-failed"
    NOT_LISTED = "not-listed"
    AWAITING_RESOLUTION = "awaiting-resolution"
    AWAITING_CAPACITY = "awaiting-capacity"
    EXCLUSION_REVIEW = "exclusion-review"
    EXCLUDED = "excluded"
    COMMISSIONED = "commissioned"
    ELECTRICITY_ONLY = "electricity-only"


class Event(StrEnum):
    """What moves an installation on."""

    CLASSIFIED_ACTIVE = "classified-active"
    CLASSIFIED_DORMANT = "classified-dormant"
    WORK_FORESEEN = "work-foreseen"
    LOOK_FIRST = "look-first"
    FIRMWARE_NOTIFIED = "firmware-notified"
    NOTICE_OVER = "notice-over"
    HOME_SURVEYED = "home-surveyed"
    WORK_DUE = "work-due"
    NOTHING_DUE = "nothing-due"
    MODELS_DIFFER = "models-differ"
    NO_WAY = "no-way"
    FIRMWARE_DONE = "firmware-done"
    FIRMWARE_NOT_DONE = "firmware-not-done"
    CONFIGURED = "configured"
    NOT_CONFIGURED = "not-configured"
    COMBINATION_LISTED = "combination-listed"
    COMBINATION_UNLISTED = "combination-unlisted"
    MIGRATION_NOTIFIED = "migration-notified"
    AUTHORISATION_RECEIVED = "authorisation-received"
    COMMON_FILE_ISSUED = "common-file-issued"
    VALIDATION_PASSED = "validation-passed"
    VALIDATION_FAILED = "validation-failed"
    FILE_REFUSED = "file-refused"
    CAPACITY_EXCEEDED = "capacity-exceeded"
    DAY_BEGUN = "day-begun"
    PATIENCE_ENDED = "patience-ended"
    GROUP_FILES_COMPLETE = "group-files-complete"
    TESTS_PASSED = "tests-passed"
    TESTS_FAILED = "tests-failed"
    RETRY = "retry"
    PAUSE_OVER = "pause-over"
    NEEDS_RESOLUTION = "needs-resolution"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    EXCLUDE = "exclude"
    CONTROL_TRANSFERRED = "control-transferred"
    ROTATION_COMPLETE = "rotation-complete"
    OLD_HEAD_END_TRIED = "old-head-end-tried"
    COMMISSIONING_REQUESTED = "commissioning-requested"
    CERTIFICATES_TO_FOLLOW = "certificates-to-follow"
    ALL_COMMISSIONED = "all-commissioned"
    GAS_EXCLUDED = "gas-excluded"
