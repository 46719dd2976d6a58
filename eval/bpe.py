"""A small byte-pair vocabulary for a small CLIP, in the file format of open_clip's SimpleTokenizer."""

import gzip
from collections import Counter
from pathlib import Path

from eval.captions import ADJECTIVES, FRAMES, Vocabulary

MERGES = 320
SPECIAL = 2  # start and end of text
BYTES = 512  # every byte, inside a word and at its end


def counted(words: Vocabulary) -> Counter:
    """The words captions are made of, each counted once per template that has it."""
    names = [name for names in words.names for name in names]
    texts = [*FRAMES, *words.nonsense, *words.nouns, *names, *names, "a", "an", "the"]
    texts += [word for rows in ADJECTIVES.values() for row in rows for word in row]
    texts += words.templates  # the held-out wordings stay unknown here too
    plain = " ".join(texts).replace("{numeral}", " ").replace("{word}", " ").replace("{name}", " ")
    letters = "".join(c if c.isalpha() else " " for c in plain.replace("{a_name}", " "))
    return Counter(letters.split())


def learn(counts: Counter, merges: int) -> list[tuple[str, str]]:
    """Byte-pair encoding (Sennrich et al. 2016): merge the commonest pair, again and again."""
    spelled = {word: (*word[:-1], word[-1] + "</w>") for word in counts}
    learned = []
    while len(learned) < merges:
        pairs = Counter()
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:], strict=False):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        spelled = {word: _merge(parts, best) for word, parts in spelled.items()}
    return learned


def _merge(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)


def write_bpe(path: Path, words: Vocabulary) -> int:
    """Write the merges to `path`; returns the size of the vocabulary.

    The tokenizer skips the first line and would take an empty last one for a merge.
    """
    merges = learn(counted(words), MERGES)
    text = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return BYTES + len(merges) + SPECIAL
