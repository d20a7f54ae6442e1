"""The result of one of the doctor's checks: one line of its report."""

from dataclasses import dataclass

from mmkd_video.core.mistakes import WrongValueError

STATES = ('ok', 'mended', 'note', 'act')


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: what was found, and what to do.

    Args:
        subject: Name of the thing that was checked.
        found: The version or the state that was found.
        needed: The version or the state that is needed, or the use of the thing.
        state: ``ok``; ``mended`` (mmkd_video takes care of it); ``note`` (good to know); ``act`` (the user must act).
        remedy: The exact command or config change; required for ``act``.

    Raises:
        ValueError: The state is unknown, or ``act`` comes without a remedy.
    """

    subject: str
    found: str
    needed: str
    state: str
    remedy: str = ''

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise WrongValueError(f'state of {self.subject!r}: got {self.state!r}, expected one of {STATES}')
        if self.state == 'act' and not self.remedy:
            raise WrongValueError(f'{self.subject!r} asks the user to act but names no remedy')
