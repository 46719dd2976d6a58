"""The one error that is meant for people."""


class UserError(ValueError):
    """A mistake a user can mend. The message is one line: what is wrong, what to do.

    The command line prints it and exits with code 2; the page shows it as a notice.
    """
