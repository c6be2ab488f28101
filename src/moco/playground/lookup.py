"""Practice of label lookup: given 'A. soup / B. tin / C. rice' and the word 'tin', say 'B'.

Multiple choice, routing and judging all rest on this one circuit. Random words, random label sets and several
queries per example leave no short cut through position or memory. In most targets the label stands directly after
the text ('tin (B)'), where the prepared matching heads (``circuit_init``) find it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from moco.playground.exercise import LETTER_ONLY_CUES, LINE_STYLES, MARK, Exercise, labelled
from moco.playground.world import listed

WORDS = listed("""about accurate advice agree also answer apple argue assistant basic beach bird black blue board book both bottle
    brief bridge bright brother build business candidate careful carefully castle chair check choose circle clear clock
    cloud combine compare complete concise conclude consider context correct correctly country critique debate desk
    detail different discuss doctor door dragon earlier engine essential evaluate evidence example expert explain fact
    factual false family farmer feedback field final find fire fish flower follow forest friend garden give glass gold
    good grade green guide hand happy hat helpful helper hill history honest horse house idea identify improve
    information instruction island issue judge justify key king kitchen knowledge lake language lemon letter light list
    lion logic machine market matter merge message model moon morning mother mountain music narrow never number object
    ocean offer opinion option order other page paint paper partner passage pencil people piece pilot plane plant please
    point power previous problem propose provide queen question quick quiet rain rank read reason refine reflect
    relevant remember reply report request respond response reviewer revise right ring river road robot role round rule
    sand school sea sentence separate several ship short silver single sister sky snow solution solve son source stage
    star state statement step stone story street strong student style suggest summary sun support sure synthesize table
    task teacher team thing think thoughtful tiger title topic tower town train tree true trust unclear under update
    user valid value verify village voice wall water weak week well window winter wise wolf woman wood word world worse
    write wrong yellow young""")
"""Words for the tokenizer's own training text; after that ``single_token_words`` of the tokenizer are used."""

QUESTIONS = ("Which option is {}?", "Pick the option {}.", "Find {}.")
_LABEL_AFTER_TEXT = ("{text} {label}", "{text}={label}", "{text} ({label})")
_LABEL_AFTER_LONG_TEXT = (*_LABEL_AFTER_TEXT, "{text} ({label})", "{text} = {label}", "{text}: {label}")


def single_token_words(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The plain lower-case words that are one token (in byte-level vocabularies they begin with 'Ġ')."""
    return tuple(
        sorted(
            token[1:]
            for token in vocabulary
            if token.startswith("Ġ") and len(token) > 3 and token[1:].isascii() and token[1:].isalpha()
            and token[1:].islower()
        )
    ) or WORDS  # fmt: skip


def random_text(rng: random.Random, words: Sequence[str], length: int) -> str:
    """Words, with a number or a letter among them now and then."""

    def piece() -> str:
        if rng.random() < 0.85:
            return rng.choice(words)
        return str(rng.randint(0, 999)) if rng.random() < 1 / 3 else rng.choice("abcdefgh")

    return " ".join(piece() for _ in range(length))


def _texts(rng: random.Random, words: Sequence[str], count: int, single: bool) -> list[str]:
    if single:
        return rng.sample(list(words), count)
    base = random_text(rng, words, rng.randint(2, 5)).split()
    nearly_equal = rng.random() < 0.3
    texts: list[str] = []
    while len(texts) < count:
        if nearly_equal:
            changed = list(base)
            changed[rng.randrange(len(changed))] = rng.choice(words)
            text = " ".join(changed)
        else:
            text = random_text(rng, words, rng.randint(1, 5))
        if text not in texts:
            texts.append(text)
    return texts


def _labels(rng: random.Random, count: int) -> list[str]:
    labels = list("ABCDEFGH"[:count]) if rng.random() < 0.6 else [str(index + 1) for index in range(count)]
    if rng.random() < 0.5:
        labels = rng.sample("ABCDEFGHIJKLMNOP" if rng.random() < 0.6 else "123456789", count)
    return labels


def _exercise(prompt: str, answer: str, target: str) -> Exercise:
    return Exercise("read", "look", "multiple_choice", prompt, prompt, answer, target, prompt)


def lookup(rng: random.Random, words: Sequence[str], easy: float = 0.3) -> Exercise:
    """One list of labelled texts with several queries (two thirds) or one; ``easy``: share of single-word lists."""
    dense = rng.random() < 0.65
    single, count = rng.random() < 0.5, 0
    if rng.random() < easy:
        single, dense, count = True, True, rng.choice([2, 3, 4])
    count = count or rng.choice([2, 2, 3, 3, 4, 4, 5, 6] if dense else [2, 3, 4, 4])
    texts, labels = _texts(rng, words, count, single), _labels(rng, count)
    style = rng.choice(LINE_STYLES)
    lines = "\n".join(style.format(label=label, text=text) for label, text in zip(labels, texts, strict=True))
    chosen = rng.sample(range(count), rng.randint(max(2, count - 2), count) if dense else 1)
    form = rng.choice(_LABEL_AFTER_TEXT if single else _LABEL_AFTER_LONG_TEXT)
    if dense and rng.random() < 0.7:
        if rng.random() < 0.15:
            asked = ", ".join(labels[index] for index in chosen)
            return _exercise(f"{lines}\nTexts of: {asked}", "", ", ".join(f"{labels[index]} {texts[index]}" for index in chosen))
        asked = ", ".join(texts[index] for index in chosen)
        target = ", ".join(form.format(text=texts[index], label=MARK + labels[index]) for index in chosen)
        return _exercise(f"{lines}\nLabels of: {asked}", "", target)
    return _single_query(rng, lines, texts[chosen[0]], labels[chosen[0]], form)


def _single_query(rng: random.Random, lines: str, text: str, label: str, form: str) -> Exercise:
    question = rng.choice(QUESTIONS).format(text)
    prompt = f"{question}\n{lines}" if rng.random() < 0.5 else f"{lines}\n{question}"
    if rng.random() < 0.15:
        prompt = f"{prompt}\n{rng.choice(LETTER_ONLY_CUES)}"
        return _exercise(prompt, label, f"Answer: {MARK}{label}")
    restated = form.format(text=text, label=MARK + label) if rng.random() < 0.7 else text
    return _exercise(prompt, label, f"{restated}. Answer: {MARK}{label}")


def distant_lookup(rng: random.Random, words: Sequence[str]) -> Exercise:
    """Lookup as in judging: long lines, the label far before the text that counts."""
    count = rng.choice([2, 2, 2, 3, 4])
    texts = _texts(rng, words, count, rng.random() < 0.4) if rng.random() < 0.6 else []
    while len(texts) < count:
        number = str(rng.randint(2, 999))
        if number not in texts:
            texts.append(number)
    prefix = rng.choice(["Answer", "Response", "Reply", "Model", "Assistant"])
    labels = ("ABCD" if rng.random() < 0.7 else "1234")[:count]
    right = rng.randrange(count)
    shared = random_text(rng, words, rng.randint(2, 12)) if rng.random() < 0.5 else None
    lines = "\n".join(
        f"{prefix} {label}: {shared or random_text(rng, words, rng.randint(2, 12))}. Answer: {text}"
        for label, text in zip(labels, texts, strict=True)
    )
    question = rng.choice(["Which is {}?", "Find the one with {}.", "Right: {}"]).format(texts[right])
    prompt = f"{question}\n{lines}" if rng.random() < 0.7 else f"{lines}\n{question}"
    return _exercise(prompt, labels[right], labelled(texts[right], labels[right]))
