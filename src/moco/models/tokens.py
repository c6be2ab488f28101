"""A model folder's tokenizer, read without torch or transformers: ids, text, special tokens, context, chat template.

Invariant: what is encoded here equals transformers' tokenizer with ``add_special_tokens=False``. BOS is placed by the
renderer alone. ``Tail`` is text as it grows token by token: it never shows half a character.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from moco.core.errors import ConfigError, PoolError


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``, {} if there is no such file; raises PoolError if it is broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PoolError(f"cannot read the model file: {error}", where=str(path)) from error
    return value if isinstance(value, dict) else {}


def _text(token: Any) -> str | None:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


class Tokens:
    """The tokenizer of the model in ``folder``. Raises ConfigError or PoolError if it cannot be read.

    ``bos`` is the id put before raw text, None if the model takes none; ``eos`` all ids that end a turn; ``context`` the
    largest number of prompt and answer tokens, None if the model does not say; ``template`` the Jinja chat template.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._backend = _backend(folder)
        self._backend.no_truncation()
        self._backend.no_padding()
        config, settings = read_json(folder / "config.json"), read_json(folder / "tokenizer_config.json")
        added = self._backend.get_added_tokens_decoder()
        self.specials: frozenset[str] = frozenset(t.content for t in added.values() if t.special)
        self.bos_text, self.eos_text = _text(settings.get("bos_token")), _text(settings.get("eos_token"))
        self.bos = self.id_of(self.bos_text)
        if self.bos_text == self.eos_text or settings.get("add_bos_token") is False:
            self.bos = None
        said = read_json(folder / "generation_config.json").get("eos_token_id", config.get("eos_token_id"))
        ends = {int(i) for i in (said if isinstance(said, list) else [said]) if i is not None}
        if (end := self.id_of(self.eos_text)) is not None:
            ends.add(end)
        self.eos: tuple[int, ...] = tuple(sorted(ends))
        inner = config.get("text_config") or config
        length = inner.get("max_position_embeddings") or inner.get("n_positions") or settings.get("model_max_length")
        self.context: int | None = int(length) if length and length < 10**9 else None
        self.template = _template(folder, settings)
        self.width = int(inner.get("vocab_size") or len(self))
        """Logits the model gives per place; may exceed the tokenizer (padding rows)."""

    def id_of(self, token: str | None) -> int | None:
        found = None if token is None else self._backend.token_to_id(token)
        return None if found is None else int(found)

    def __len__(self) -> int:
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    def vocabulary(self) -> dict[str, int]:
        """Token string to id, added tokens included."""
        return {str(token): int(i) for token, i in self._backend.get_vocab(with_added_tokens=True).items()}

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``; special-token strings in it become special ids, nothing is added."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def wrapped(self, text: str, second: str | None = None) -> tuple[list[int], list[int]]:
        """Ids of one or two texts with the special tokens that the tokenizer itself puts around them, and the segment of each."""
        found = self._backend.encode(text, second, add_special_tokens=True)
        return list(found.ids), list(found.type_ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids`` without special tokens."""
        return str(self._backend.decode(list(ids), skip_special_tokens=True))

    def piece(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Text that ``ids`` add behind ``before``, as a decode difference (keeps leading spaces)."""
        context = list(before)[-4:]
        head = self.decode(context)
        whole = self.decode([*context, *ids])
        return whole[len(head) :] if whole.startswith(head) else self.decode(ids)


class Decodes(Protocol):
    def decode(self, ids: Sequence[int]) -> str: ...


class Tail:
    """Text of one growing answer; ``push`` says where the first stop string begins in it, -1 if there is none.

    Only emitted text is scanned, and only the part a new token can complete. A trailing partial character is held back.
    """

    def __init__(self, tokens: Decodes, before: Sequence[int], stop: Sequence[str]) -> None:
        self._tokens, self._stop = tokens, tuple(s for s in stop if s)
        self._ids = list(before)[-4:]
        self._shown_from, self._read_to = 0, len(self._ids)
        self._reach = max((len(s) for s in self._stop), default=1) - 1
        self.text = ""

    def push(self, token: int) -> int:
        """Take one token; index into ``text`` of the earliest stop string, or -1."""
        self._ids.append(token)
        old = self._tokens.decode(self._ids[self._shown_from : self._read_to])
        new = self._tokens.decode(self._ids[self._shown_from :])
        if len(new) <= len(old) or new.endswith("\ufffd"):
            return -1
        start = max(0, len(self.text) - self._reach)
        self.text += new[len(old) :]
        self._shown_from, self._read_to = self._read_to, len(self._ids)
        return min((at for s in self._stop if (at := self.text.find(s, start)) >= 0), default=-1)


def _backend(folder: Path) -> Any:
    file = folder / "tokenizer.json"
    if file.is_file():
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(file))
    try:
        from transformers import AutoTokenizer

        slow: Any = AutoTokenizer.from_pretrained(str(folder))
    except ImportError as error:
        raise ConfigError("transformers is not installed", where=str(folder), remedy='pip install "mocolab[local]"') from error
    except (OSError, ValueError) as error:
        raise PoolError(f"the model has no readable tokenizer: {error}", where=str(folder)) from error
    backend = getattr(slow, "backend_tokenizer", None)
    if backend is None:
        raise PoolError("the model has no fast tokenizer", where=str(folder), remedy="save one (tokenizer.json)")
    return backend


def _template(folder: Path, settings: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    given = settings.get("chat_template")
    if isinstance(given, list):
        named = {t.get("name"): t.get("template") for t in given if isinstance(t, dict)}
        given = named.get("default") or next(iter(named.values()), None)
    return given if isinstance(given, str) else None
