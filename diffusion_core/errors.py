"""The errors that are meant for people."""


class UserError(ValueError):
    """A mistake a user can mend. The message is one line: what is wrong, what to do.

    The command line prints it and exits with code 2; the page shows it as a notice.
    """


class Interrupted(Exception):
    """A signal ended the work; everything was saved. `signum` says which."""

    def __init__(self, signum: int):
        super().__init__(f"stopped by signal {signum}; saved")
        self.signum = signum
