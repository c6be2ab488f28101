"""Faces of a run's results: the terminal, one HTML file, Markdown, CSV, LaTeX, and two rows against each other."""
