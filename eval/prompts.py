"""What is said of an image: caption templates per data set, in two sets that share no template.

`default` is the set behind every CLIP score. `heldout` is kept out of whatever is trained or tuned, so
that a gain that only exists for the wording it was tuned on can be told from a real one.
"""

from eval.errors import UserError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# {name} is the class name as the data set spells it, {a_name} the same with its article; {numeral} and {word} exist for
# digits only.
DIGITS = {
    "default": (
        "a handwritten digit {numeral}",
        "the number {word}",
        'a photo of the number: "{numeral}".',
        "a handwritten {word}",
    ),
    "heldout": (
        "someone wrote the digit {word}",
        "{numeral} written by hand",
        "a scan of the numeral {numeral}",
        "this sample shows a {word}",
    ),
}
GENERIC = {
    "default": ("a photo of {a_name}", "an image of {a_name}", "{a_name}"),
    "heldout": ("this picture shows {a_name}", "a close-up of one {name}", "here you see {a_name}"),
}
TEMPLATES = {"mnist": DIGITS}  # what suits a data set better than GENERIC
PROMPT_SETS = tuple(GENERIC)


def article(phrase: str) -> str:
    """ "frog" -> "a frog", "airplane" -> "an airplane"."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def fill(template: str, class_name: str) -> str:
    """A template with its class named: `{name}`, `{a_name}`, and for the digits `{numeral}` and `{word}`."""
    if class_name in WORDS:
        class_name = str(WORDS.index(class_name))
    named = {"name": class_name, "a_name": article(class_name)}
    if class_name.isdigit() and int(class_name) < len(WORDS):
        named |= {"numeral": class_name, "word": WORDS[int(class_name)]}
    return template.format(**named)


def templates(dataset: str) -> dict[str, tuple[str, ...]]:
    """Prompt set -> templates of a data set, its own or the generic ones."""
    return TEMPLATES.get(dataset, GENERIC)


def captions(dataset: str, class_name: str, prompt_set: str = "default") -> list[str]:
    """The captions of one class, one per template. `UserError` for an unknown prompt set."""
    if prompt_set not in PROMPT_SETS:
        raise UserError(f"There is no prompt set '{prompt_set}'. Known: {', '.join(PROMPT_SETS)}.")
    return [fill(t, class_name) for t in templates(dataset)[prompt_set]]
