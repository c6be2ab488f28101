"""Ctrl-C and SIGTERM, as a batch system sends it: the first one ends a command in good order, the second one at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

_BY_SIGNAL = 128
"""What shells add to the number of the signal that ended a program."""


class Ending:
    """How this process was asked to end; ``code`` is its exit code then. There is one, ``ENDING``."""

    def __init__(self) -> None:
        self.asked: int = 0

    @property
    def code(self) -> int:
        return _BY_SIGNAL + (self.asked or signal.SIGINT)

    def listen(self) -> None:
        """From now on until the process ends; a signal that whoever started us wants ignored stays ignored."""
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) == usual:
                signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            os.write(2, b"\nstopped at once; what was finished is kept\n")
            os._exit(self.code)
        self.asked = number
        raise KeyboardInterrupt


ENDING = Ending()
