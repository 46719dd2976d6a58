"""Scores images class by class. Always `from eval.x import y`: `eval` is also a builtin's name."""
