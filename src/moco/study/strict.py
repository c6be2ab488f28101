"""What every part of a study file is made of: strict values, and models that refuse what they do not know.

Invariant: no key is ignored and no value is turned into another; a fault says what is wrong, where, and the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from moco.core.errors import did_you_mean

Text = Annotated[str, Field(strict=True, min_length=1, pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


def refusal(what: str, remedy: str, *at: str | int) -> PydanticCustomError:
    """A fault ``at`` a path below the model that raises it."""
    return PydanticCustomError("study", "{what}; remedy: {remedy}", {"what": what, "remedy": remedy, "at": at})


class Strict(BaseModel):
    """Frozen; unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _plain: ClassVar[str] = ""
    """The field that a bare text stands for."""
    _later: ClassVar[tuple[str, ...]] = ()
    """Keys of the design which this version does not have."""
    _rest: ClassVar[bool] = False
    """Whether unknown keys are collected in ``options``."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str) and cls._plain:
            return {cls._plain: value}
        if not isinstance(value, Mapping):
            if not cls._plain and not isinstance(value, BaseModel) and value is not None:
                raise refusal("keys and values are wanted here", "write {key: value}, or one 'key: value' per line")
            return value
        known, extra = {}, {}
        for key, item in value.items():
            if key in cls._later:
                raise refusal(f"this version does not support '{key}' yet", "leave it out", key)
            if key in cls.model_fields:
                known[key] = item
            elif cls._rest:
                extra[key] = item
            else:
                raise refusal(f"unknown key '{key}'", did_you_mean(str(key), cls.model_fields), key)
        options = known.get("options", {})
        if extra and isinstance(options, Mapping):
            for key in extra.keys() & options.keys():
                raise refusal(f"option '{key}' is given twice", "keep one of them", key)
            known["options"] = {**options, **extra}
        return known
