"""An error that a person can act on: what happened, why, and what to do about it."""


class Problem(Exception):
    """Only a person can put this right; the command line prints it and exits with `exit_code`."""

    exit_code = 78

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        parts = (("", self.what), ("why: ", self.why), ("fix: ", self.fix))
        return "\n".join(label + text for label, text in parts if text)
