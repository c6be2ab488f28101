"""Kit of the text level: rankings on dev, votes, likeness of texts, prompts, quotes and budgets, rounds and readings."""

from moco.discussion.aggregation import COMBINE, Ending, reading
from moco.discussion.budget import Fitted, Reader, fit, fits, reader_of, shorten, water_fill
from moco.discussion.debate import Debate
from moco.discussion.gathering import Gathered, OnFailure, gather, within
from moco.discussion.judging import labels_for, mark_for, read_number, read_verdict, shuffled
from moco.discussion.minutes import Minutes
from moco.discussion.quoting import LINE, Form, Quote, block, quotes_of, safe
from moco.discussion.ranking import Ranking, dev_scores, rank_on_dev, ranking_of
from moco.discussion.reviews import Reviewing, reviewers_of
from moco.discussion.rounds import Talk, converse
from moco.discussion.selectors import Selector, select
from moco.discussion.similarity import medoid, normalised, token_f1
from moco.discussion.template import Template
from moco.discussion.topology import graph_of, hears
from moco.discussion.turns import Turn, chat_request, take, take_all, task_prompt, unanimous
from moco.discussion.votes import Decision, Tie, answer_of, plurality, vote

__all__ = [
    "COMBINE",
    "LINE",
    "Debate",
    "Decision",
    "Ending",
    "Fitted",
    "Form",
    "Gathered",
    "Minutes",
    "OnFailure",
    "Quote",
    "Ranking",
    "Reader",
    "Reviewing",
    "Selector",
    "Talk",
    "Template",
    "Tie",
    "Turn",
    "answer_of",
    "block",
    "chat_request",
    "converse",
    "dev_scores",
    "fit",
    "fits",
    "gather",
    "graph_of",
    "hears",
    "labels_for",
    "mark_for",
    "medoid",
    "normalised",
    "plurality",
    "quotes_of",
    "rank_on_dev",
    "ranking_of",
    "read_number",
    "read_verdict",
    "reader_of",
    "reading",
    "reviewers_of",
    "safe",
    "select",
    "shorten",
    "shuffled",
    "take",
    "take_all",
    "task_prompt",
    "token_f1",
    "unanimous",
    "vote",
    "water_fill",
    "within",
]
