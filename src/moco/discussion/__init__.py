"""Kit of the text level: rankings on dev, votes, likeness of texts."""

from moco.discussion.ranking import Ranking, dev_scores, rank_on_dev, ranking_of
from moco.discussion.similarity import medoid, token_f1
from moco.discussion.votes import Decision, Tie, answer_of, plurality, vote

__all__ = [
    "Decision",
    "Ranking",
    "Tie",
    "answer_of",
    "dev_scores",
    "medoid",
    "plurality",
    "rank_on_dev",
    "ranking_of",
    "token_f1",
    "vote",
]
