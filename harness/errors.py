"""The exception family of the harness; each class carries the exit status the command ends with."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of every error the harness raises on purpose; one line that says what, where and what to do.

    `exit_status` is what the command ends with when the error reaches it: 1 the installation, the regime or
    the evidence said no, 2 bad input, 3 the environment.
    """

    exit_status = 2

    @property
    def lines(self) -> tuple[str, ...]:
        """What to say of it: one line, except where several things are wrong at once."""
        return (str(self),)


class RecordError(HarnessError):
    """A record that is not what its type says; names the field."""


class ReportError(HarnessError):
    """A report file that is not what it should be."""


class JournalError(HarnessError):
    """A journal that cannot be written, read or continued."""

    exit_status = 3


class FolderInUseError(HarnessError):
    """A run folder that another process is using, or that holds a different run."""

    exit_status = 3


class CertificateError(HarnessError):
    """A certificate outside the profile, from an unknown issuer, or in the wrong role."""


class FileRejectedError(HarnessError):
    """An exchanged file that its receiver refuses; `code` is the validation code of the refusal, `text` its reason."""

    exit_status = 1

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.text = message


class UnreachableError(HarnessError):
    """A device or hub that gave no answer over the WAN link; raised by the callables passed in."""

    exit_status = 1


class NoticeRunsError(HarnessError):
    """Work on an installation that must not begin yet, and nobody here can wait for so long; says until when."""

    exit_status = 1


class RegimeError(HarnessError):
    """A step the enrolment regime forbids: an illegal transition, or a party acting outside its control."""

    exit_status = 1


class ContradictionError(HarnessError):
    """A device that is not as the journal has it: its record cannot be believed until somebody finds out why."""

    exit_status = 1
