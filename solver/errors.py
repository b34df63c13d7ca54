"""Errors of the integer program: what was given and where, what was expected, what to do."""


class ProgramError(ValueError):
    """The data of a program contradict themselves or miss something."""


class SolverUnavailable(ValueError):
    """The solver asked for is not installed or not known."""


class SolverDisagreement(RuntimeError):
    """The solver's answer, evaluated again from the data, breaks a row or costs something else."""


class SolverFailure(RuntimeError):
    """The solver broke off without an answer."""
