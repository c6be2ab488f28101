"""Faces of a run's results. For now: the terminal, Markdown and CSV."""
