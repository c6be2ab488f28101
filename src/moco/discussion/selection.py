"""The number a model names when it is asked to choose from a numbered list of things nobody quoted, such as descriptions.

Choices among quoted replies are read more strictly: see ``judging``.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<!\d)([1-9]\d*)(?!\d)")


def first_number(text: str, highest: int) -> int | None:
    """The first whole number in ``text`` between 1 and ``highest``; None if there is none."""
    for match in _NUMBER.finditer(text):
        if 1 <= int(match.group(1)) <= highest:
            return int(match.group(1))
    return None
