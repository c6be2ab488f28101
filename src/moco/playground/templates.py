"""The wordings of the collaboration prompts a playground model is trained to read, with synonyms.

A tiny model reads only wordings of a kind it has seen, so training varies them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

AGGREGATE = (
    "Question: {question}\nAnswers:\n{candidates}\nFinal answer?",
    "Several assistants answered the question below. Combine their answers into one final answer.\n"
    "Question: {question}\n{candidates}\nFinal answer:",
    "You are given a question and the responses of several assistants. Some of the responses may be wrong or "
    "misleading. Judge them critically and write a single accurate and complete response to the question.\n\n"
    "Question: {question}\n\nResponses of the assistants:\n{candidates}\n\nYour response:",
)
CANDIDATE_STYLES = (
    "{number}. {text}",
    "Assistant {number}: {text}",
    "[{number}] {text}",
    "Response {number}: {text}",
    "Answer {number}: {text}",
    "Model {number}: {text}",
    "{number}) {text}",
)
READ = (
    "Knowledge: {knowledge}\nQuestion: {question}",
    "Use the passage to answer the question.\nPassage: {knowledge}\nQuestion: {question}",
    "The following knowledge was supplied by other assistants and may or may not be useful for the question.\n\n"
    "Knowledge:\n{knowledge}\n\nQuestion: {question}",
)
JUDGE = (
    "Question: {question}\nAnswer A: {first}\nAnswer B: {second}\nWhich answer is better, A or B?",
    "You are a judge. Compare the two responses to the question and choose the better one.\n"
    "Question: {question}\nResponse A: {first}\nResponse B: {second}\nReply with A or B.",
)
ROUTE = (
    "Models:\n{models}\nQuery: {question}\nWhich model is best?",
    "Below are the descriptions of several models. Choose the number of the model that should answer the query.\n"
    "Models:\n{models}\nQuery: {question}\nReply with the number of the model.",
)
CRITICISE = (
    "Question: {question}\nAnswer: {draft}\nIs the answer right or wrong?",
    "Read the question and the proposed response and give feedback.\nQuestion: {question}\nResponse: {draft}\nFeedback:",
)
REVISE = (
    "Question: {question}\nDraft: {draft}\nFeedback: {feedback}\nRevised answer:",
    "Revise the draft using the feedback.\nQuestion: {question}\nDraft: {draft}\nFeedback:\n{feedback}\nRevised response:",
)
WRITE_FACTS = (
    "Question: {question}\nWrite knowledge that helps to answer the question.",
    "Give facts for: {question}",
)

DESCRIPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "math": ("arithmetic", "sums and products of numbers", "math word problems", "a model for math"),
        "lists": (
            "lists and Python code",
            "sorting and reversing lists",
            "code expressions",
            "a model for code and lists",
        ),
        "geo": (
            "facts about cities",
            "rivers, metals and dishes of cities",
            "geography of cities",
            "a model that knows cities",
        ),
        "bio": (
            "facts about creatures",
            "colors, foods and homes of creatures",
            "biology of creatures",
            "a model that knows creatures",
        ),
        "other": ("law and contracts", "poems and songs", "medicine", "chat and small talk", "history of art"),
    }
)
"""What a model may say of itself, by skill. ``other`` fits none of the questions."""

TOPICS: Mapping[str, str] = MappingProxyType({"math": "math", "lists": "lists", "geo": "cities", "bio": "creatures"})

_SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Question:": ("Question:", "Question:", "Problem:", "Query:", "Task:"),
        "Answer A": ("Answer A", "Response A", "Reply A"),
        "Answer B": ("Answer B", "Response B", "Reply B"),
        "Response A": ("Response A", "Answer A", "Reply A"),
        "Response B": ("Response B", "Answer B", "Reply B"),
        "Knowledge:": ("Knowledge:", "Notes:", "Context:", "Passage:", "Facts:"),
        "Passage:": ("Passage:", "Context:", "Notes:"),
        "Draft:": ("Draft:", "Old answer:", "Answer:"),
        "assistants": ("assistants", "models", "experts"),
        "Final answer:": ("Final answer:", "Your answer:", "Your reply:", "Answer:"),
        "Your response:": ("Your response:", "Your final reply:", "Reply:"),
        "Query:": ("Query:", "Question:", "Problem:"),
        "Which model is best?": ("Which model is best?", "Who should solve it?", "Best model number?"),
        "better": ("better", "more accurate", "best"),
    }
)


def varied(rng: random.Random, templates: tuple[str, ...]) -> str:
    """One of the templates: half of the time as it is, else with synonyms or without its first sentence."""
    template = rng.choice(templates)
    if rng.random() < 0.5:
        return template
    if "\n" in template and rng.random() < 0.2:
        first, rest = template.split("\n", 1)
        if "{" not in first:
            template = rest.lstrip("\n")
    for phrase, synonyms in _SYNONYMS.items():
        if phrase in template and rng.random() < 0.6:
            template = template.replace(phrase, rng.choice(synonyms))
    return template
