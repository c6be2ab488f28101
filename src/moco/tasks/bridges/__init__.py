"""Bridges: tasks in the formats of other projects, read as they lie on disk."""
