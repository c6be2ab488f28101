"""Templates: strict fields, one pass, and the way they become options of methods."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from moco.core.errors import ConfigError
from moco.discussion import Template

ASK = Template("Q: {task}\n{peers}", ("task", "peers", "tone"), ("peers",))


def test_places_are_filled() -> None:
    assert ASK.fill(task="1+1?", peers="two", tone="") == "Q: 1+1?\ntwo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{pears} {peers}", r"names \{pears\}.*did you mean 'peers'"),
        ("{task}", r"no place for \{peers\}"),
        ("{{peers}}", r"no place for \{peers\}"),
    ],
)
def test_a_wrong_place_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ASK.but(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"task": "", "peers": ""}, "tone.*not filled"), ({"task": "", "peers": "", "tone": "", "x": ""}, "x.*no field")],
)
def test_exactly_the_fields_are_given(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ASK.fill(**values)


def test_braces_that_are_no_places_stay() -> None:
    text = 'Write {{task}} as {"a": {"b": 1}} or \\boxed{} from {peers}'
    assert ASK.but(text).fill(task="t", peers="p", tone="") == 'Write {task} as {"a": {"b": 1}} or \\boxed{} from p'


@given(st.text(max_size=40))
def test_what_is_filled_in_is_never_read_as_a_template(said: str) -> None:
    assert ASK.but("<{peers}|{task}>").fill(task="{peers}", peers=said, tone="x") == f"<{said}|{{peers}}>"


def test_a_line_of_empty_places_leaves_nothing_behind() -> None:
    assert ASK.but("a\n{tone}\n{tone} {task}\nQ: {task}\n{peers}").fill(task="", peers="p", tone="") == "a\nQ: \np"


def test_as_an_option_it_is_checked_with_the_same_words() -> None:
    option: TypeAdapter[str] = TypeAdapter(Annotated[str, ASK.option])
    assert option.validate_python("{peers}!") == "{peers}!"
    with pytest.raises(ValidationError, match="did you mean 'peers'"):
        option.validate_python("{peer} {peers}")
