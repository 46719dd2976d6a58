"""A package of its own: installed ones bring a `tests` of theirs."""
