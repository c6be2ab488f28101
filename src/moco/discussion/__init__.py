"""Kit of the text level: rankings on dev, votes, likeness of texts, prompts, quotes and budgets, rounds and readings."""

from moco.discussion.aggregation import COMBINE, reading
from moco.discussion.budget import Fitted, Reader, fit, fits, reader_of, shorten, water_fill
from moco.discussion.debate import Debate
from moco.discussion.quoting import LINE, Form, Quote, block, quotes_of, safe
from moco.discussion.ranking import Ranking, dev_scores, rank_on_dev, ranking_of
from moco.discussion.similarity import medoid, normalised, token_f1
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, take, take_all, task_prompt, unanimous
from moco.discussion.votes import Decision, Tie, answer_of, plurality, vote

__all__ = [
    "COMBINE",
    "LINE",
    "Debate",
    "Decision",
    "Fitted",
    "Form",
    "Quote",
    "Ranking",
    "Reader",
    "Template",
    "Tie",
    "Turn",
    "answer_of",
    "block",
    "chat_request",
    "dev_scores",
    "fit",
    "fits",
    "medoid",
    "normalised",
    "plurality",
    "quotes_of",
    "rank_on_dev",
    "ranking_of",
    "reader_of",
    "reading",
    "safe",
    "shorten",
    "take",
    "take_all",
    "task_prompt",
    "token_f1",
    "unanimous",
    "vote",
    "water_fill",
]
