"""The exception family of the harness."""


class HarnessError(Exception):
    """Base of every error the harness raises on purpose; one line that says what, where and what to do.

    `exit_status` is what the command ends with when the error reaches it: 2 bad input, 3 the environment.
    """

    exit_status = 2


class ReportError(HarnessError):
    """A report file that is not what it should be."""


class FolderInUseError(HarnessError):
    """A run folder that another process is using, or that holds a different run."""

    exit_status = 3
