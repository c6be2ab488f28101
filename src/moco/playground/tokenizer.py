"""The two tokenizers of the pool: one shared by base, experts and mentor, and another family's for ``foreign``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TokenizerStyle:
    """Vocabulary size, splitting rule, special tokens (pad, begin, end, system, user, assistant) and chat template."""

    vocabulary: int
    pattern: str
    special: tuple[str, str, str, str, str, str]
    chat_template: str


SHARED = TokenizerStyle(
    vocabulary=1024,
    # A lone capital letter and every digit are tokens of their own, never merged with the space before them, so that
    # a label is the same token in the list, in the reasoning and in the answer.
    pattern=r"\d|[A-Z](?![A-Za-z])| ?(?![A-Z](?![A-Za-z]))[A-Za-z]+| ?[^\sA-Za-z\d]|\s",
    special=("<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"),
    chat_template=(
        "{{ '<|bos|>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    ),
)
FOREIGN = TokenizerStyle(
    vocabulary=512,
    pattern=r"\d|[A-Za-z]+|[^A-Za-z\d]",  # spaces are tokens of their own
    special=("[PAD]", "[BOS]", "[EOS]", "[SYS]", "[USR]", "[BOT]"),
    chat_template=(
        "{{ '[BOS]' }}{% for m in messages %}{{ ('[SYS]' if m['role']=='system' else '[USR]' if m['role']=='user' "
        "else '[BOT]') + m['content'] + '[EOS]' }}{% endfor %}{% if add_generation_prompt %}{{ '[BOT]' }}{% endif %}"
    ),
)


def train_tokenizer(style: TokenizerStyle, text: Iterable[str]) -> Any:
    """A byte-level BPE tokenizer with left padding and a chat template."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(style.pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=style.vocabulary,
        special_tokens=list(style.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(text, trainer)
    wrapper: Any = PreTrainedTokenizerFast
    tokenizer = wrapper(
        tokenizer_object=core,
        pad_token=style.special[0],
        bos_token=style.special[1],
        eos_token=style.special[2],
        # No text is unknown to a byte-level model, but without this a Qwen2 folder is loaded with one token too many.
        unk_token=style.special[0],
        additional_special_tokens=list(style.special[3:]),
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = style.chat_template
    return tokenizer
