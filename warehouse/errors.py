"""The one kind of error that a person is meant to read."""


class UserError(Exception):
    """A mistake of the user or of the world, said in one line.

    The message says what was wrong, where, and what to do. The entry point prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 1


class AlreadyRunning(UserError):
    """Another run holds the lock. 75 is EX_TEMPFAIL: nothing is wrong, try later."""

    exit_code = 75
