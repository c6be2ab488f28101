"""Which options of a cell differ from its method's defaults: those a reader should see first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moco.collab import METHODS, option_defaults
from moco.core.errors import MocoError


def changed(about: Mapping[str, Any]) -> list[str] | None:
    """Names of the options in a cell's summary that differ from the defaults; None where the defaults are not known.

    A method from somebody's file is not loaded for this: reading a report runs nobody's code.
    """
    name, options = about.get("reference"), about.get("options")
    if not isinstance(name, str) or not isinstance(options, Mapping) or name not in METHODS.names():
        return None
    try:
        defaults = option_defaults(METHODS.get(name))
    except MocoError:
        return None
    return [k for k, v in options.items() if k not in defaults or _plain(defaults[k]) != _plain(v)]


def _plain(value: Any) -> str:
    """As the summary's JSON has it: a tuple is a list."""
    return json.dumps(value, sort_keys=True, default=str)
