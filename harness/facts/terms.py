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
    """Where the enrolment of an installation stands."""

    DISCOVERED = "discovered"
    ACTIVE = "active"
    DORMANT = "dormant"
    INELIGIBLE = "ineligible"
    FIRMWARE_SCHEDULED = "firmware-schedule-notified"
    FIRMWARE_FAILED = "firmware-failed"
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
    CUT_OVER = "cut-over"
    KEYS_ROTATED = "keys-rotated"
    COMMISSIONING = "commissioning"
    COMMISSIONED = "commissioned"
    ELECTRICITY_ONLY = "electricity-only"
    EXCLUSION_REVIEW = "exclusion-review"
    EXCLUDED = "excluded"


class Event(StrEnum):
    """What moves an enrolment on."""

    CLASSIFIED_ACTIVE = "classified-active"
    CLASSIFIED_DORMANT = "classified-dormant"
    COMBINATION_LISTED = "combination-listed"
    COMBINATION_UNLISTED = "combination-unlisted"
    FIRMWARE_NOTIFIED = "firmware-notified"
    FIRMWARE_DONE = "firmware-done"
    FIRMWARE_NOT_DONE = "firmware-not-done"
    MIGRATION_NOTIFIED = "migration-notified"
    AUTHORISATION_RECEIVED = "authorisation-received"
    COMMON_FILE_ISSUED = "common-file-issued"
    VALIDATION_PASSED = "validation-passed"
    VALIDATION_FAILED = "validation-failed"
    FILE_REFUSED = "file-refused"
    CAPACITY_EXCEEDED = "capacity-exceeded"
    GROUP_FILES_COMPLETE = "group-files-complete"
    TESTS_PASSED = "tests-passed"
    TESTS_FAILED = "tests-failed"
    CONTROL_TRANSFERRED = "control-transferred"
    ROTATION_COMPLETE = "rotation-complete"
    COMMISSIONING_REQUESTED = "commissioning-requested"
    ALL_COMMISSIONED = "all-commissioned"
    GAS_EXCLUDED = "gas-excluded"
    RETRY = "retry"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    EXCLUDE = "exclude"
