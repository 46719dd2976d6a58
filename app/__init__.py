"""Puts training, sampling and judging together: the page and the command line."""
