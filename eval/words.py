"""What each metric is called, and what it can and cannot say: one place for the page, the report and the terminal."""

from typing import NamedTuple


class Word(NamedTuple):
    """How one metric is shown.

    `judge`: who says so, a key of `JUDGES`. `unit`: "%" (values in [0, 1]), "°" (values in radians), "px", or
    "" (as it is). `better`: "higher", "lower", or None where the nearest to real images is best. `group`:
    "judges" (image by image), "sets" (sets of images), "shape" or "memory".
    """

    key: str
    title: str
    judge: str
    unit: str
    better: str | None
    group: str
    can: str
    cannot: str


JUDGES = {
    "classifier": "Classifier",
    "second": "Second classifier",
    "knn": "Nearest neighbours",
    "clip": "CLIP",
    "judges": "All judges",
    "shape": "Shape",
    "neighbours": "Training images",
}


class Space(NamedTuple):
    """Where sets of images are compared: `judge` is a key of `JUDGES`, `says` what distances mean there."""

    judge: str
    title: str
    says: str


SPACES = {
    "": Space(
        "classifier",
        "the classifier's features",
        "The layer before its answer: it knows what tells classes apart, and little of how images look.",
    ),
    "second_": Space(
        "second",
        "the second classifier's features",
        "The same layer of another network: what holds in both does not hang on one of them.",
    ),
    "pixels_": Space(
        "knn",
        "raw pixels",
        "No network at all: honest about every detail, but an image moved by one pixel is another image.",
    ),
    "clip_": Space(
        "clip",
        "CLIP's features",
        "What this project's own CLIP sees: values of other CLIP models cannot be compared with these.",
    ),
}

# ---------------------------------------------------------------- image by image

CLASSIFIER_CANNOT = (
    "It was trained on real images only: what no real image shows may still get a confident answer, "
    "and it says nothing about variety."
)
SECOND_CANNOT = "It learned from the same training images as the classifier, so both may share a blind spot."
KNN_CANNOT = (
    "It compares pixel by pixel: a real image of a thing in an unusual place is misread too, so hold it against real "
    "images."
)
CLIP_CANNOT = "Values of different CLIP models are not comparable, and only the distance to real images means much."
SHAPE_CANNOT = "It is a mean: too many thin and too many thick ones can cancel; missing shapes are looked for apart."

_IMAGES = (
    Word(
        "accuracy", "Classifier accuracy", "classifier", "%", "higher", "judges",
        "Share of the images that a classifier trained on real ones reads as the class asked for.", CLASSIFIER_CANNOT,
    ),
    Word(
        "confidence", "Classifier probability", "classifier", "%", "higher", "judges",
        "Mean probability the classifier gives to the class asked for: it falls before accuracy does.",
        CLASSIFIER_CANNOT,
    ),
    Word(
        "second_accuracy", "Second classifier accuracy", "second", "%", "higher", "judges",
        "The same question put to a network of another architecture and seed: an answer that both give does not "
        "hang on one network.",
        SECOND_CANNOT,
    ),
    Word(
        "second_confidence", "Second classifier probability", "second", "%", "higher", "judges",
        "Mean probability the second classifier gives to the class asked for.", SECOND_CANNOT,
    ),
    Word(
        "knn_accuracy", "Nearest neighbours accuracy", "knn", "%", "higher", "judges",
        "Share of the images whose nearest training images, pixel by pixel, are of the class asked for: no network's "
        "habits are in it.",
        KNN_CANNOT,
    ),
    Word(
        "knn_confidence", "Nearest neighbours share", "knn", "%", "higher", "judges",
        "Mean share of the nearest training images that are of the class asked for.", KNN_CANNOT,
    ),
    Word(
        "clip_accuracy", "CLIP accuracy", "clip", "%", "higher", "judges",
        "Share of the images whose nearest caption names the class asked for.", CLIP_CANNOT,
    ),
    Word(
        "clip_probability", "CLIP probability", "clip", "%", "higher", "judges",
        "Mean probability CLIP gives to the caption of the class asked for, among those of all classes.", CLIP_CANNOT,
    ),
    Word(
        "clip_margin", "CLIP margin", "clip", "", "higher", "judges",
        "How much closer the right caption is than the best wrong one, in cosine; below 0 is a mistake.", CLIP_CANNOT,
    ),
    Word(
        "clip_cosine", "CLIP cosine", "clip", "", "higher", "judges",
        "Mean cosine between the image and the caption of the class asked for.",
        "Each caption has a level of its own, so compare a class with its real images, never with another class.",
    ),
    Word(
        "disagreement", "Judges disagree", "judges", "%", "lower", "judges",
        "Share of the images that not all judges read alike, whatever was asked for: these are worth a look.",
        "Agreement is no proof: all judges learned from the same training images.",
    ),
    Word(
        "thickness", "Stroke thickness", "shape", "px", None, "shape",
        "Mean width of the strokes, twice the distance from their middle line to the paper.", SHAPE_CANNOT,
    ),
    Word(
        "slant", "Slant", "shape", "°", None, "shape",
        "Mean angle by which upright strokes lean; above 0 to the right, as in italics.", SHAPE_CANNOT,
    ),
    Word(
        "width", "Width", "shape", "px", None, "shape",
        "Mean width of what is drawn once its slant is undone, without the outermost 1 % of ink.", SHAPE_CANNOT,
    ),
    Word(
        "height", "Height", "shape", "px", None, "shape",
        "Mean height of what is drawn, without the outermost 1 % of ink.", SHAPE_CANNOT,
    ),
    Word(
        "length", "Stroke length", "shape", "px", None, "shape",
        "Mean length of the middle line of all strokes.", SHAPE_CANNOT,
    ),
    Word(
        "ink", "Ink", "shape", "px", None, "shape",
        "Mean amount of ink, counted in wholly inked pixels.", SHAPE_CANNOT,
    ),
    Word(
        "memorised", "Suspected copies", "neighbours", "%", "lower", "memory",
        "Share of the images nearer to a training image than to any test image, by a ratio that only 5 % of real test "
        "images fall below.",
        "New images by the makers of the training images score more (those of MNIST 9 %), so only more than that is "
        "copying; and pixels show no copy that was moved.",
    ),
    Word(
        "nearer", "Nearer to training images", "neighbours", "%", "lower", "memory",
        "Chance that an image is nearer to the training images, rather than to test images, than a real one is: "
        "50 % for real images.",
        "New images by the makers of the training images score more (those of MNIST 58 %): up to there it may be their "
        "hand, not copies.",
    ),
    Word(
        "train_distance", "Distance to the nearest training image", "neighbours", "", None, "memory",
        "Mean distance in pixels, each from 0 to 1, to the nearest training image.",
        "Smooth and typical images are near to many training images without being copies.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------- sets of images, in each space

_SETS = (
    (
        "fd", "Frechet distance", "", "lower",
        "How far the generated images as a whole lie from real ones, in mean and spread, in {space}.",
        "It grows as images get fewer, by about 2d/n + d(d+1)/(2(n−1)) for d features of unit variance: only its "
        "distance from the floor at the same n counts.",
    ),
    (
        "kid", "Kernel distance (KID)", "", "lower",
        "The same question by a kernel, in {space}: on average 0 at any n where both sets come from one source.",
        "Its scale means nothing by itself, and it scatters around 0, to either side, where there is no difference.",
    ),
    (
        "precision", "Precision", "%", "higher",
        "Share of the generated images within reach of a real one, in {space}: how many could be real.",
        "One odd real image has a long reach and lets bad ones pass.",
    ),
    (
        "recall", "Recall", "%", "higher",
        "Share of real images within reach of a generated one, in {space}: how much of the variety is there.",
        "One odd generated image has a long reach; and it says whether a kind occurs, not how often.",
    ),
    (
        "density", "Density", "", "higher",
        "In how many real images' neighbourhoods a generated one lies, in {space}; about 1 where both sets are alike.",
        "High is not good by itself: drawing only the most typical images raises it above real ones.",
    ),
    (
        "coverage", "Coverage", "%", "higher",
        "Share of real images with a generated one in their neighbourhood, in {space}: what is left out lowers it.",
        "Real images do not reach 100 % either, and fewer images cover less: hold it against the floor at the same n.",
    ),
    (
        "vendi", "Vendi score", "", "higher",
        "How many clearly different images there are in effect, in {space}.",
        "It counts variety of any kind, noise too, and grows with n: hold it against the floor.",
    ),
)  # fmt: skip


def _sets() -> list[Word]:
    """The metrics of sets: each of `_SETS` in each of `SPACES`, and the one that CLIP's space has alone."""
    found = []
    for prefix, space in SPACES.items():
        for key, title, unit, better, can, cannot in _SETS:
            says = can.format(space=space.title)
            found.append(Word(prefix + key, title, space.judge, unit, better, "sets", says, cannot))
    return [
        *found,
        Word(
            "cmmd", "CMMD", "clip", "", "lower", "sets",
            "Distance of both sets by a Gaussian kernel in CLIP's features, assuming no normal distribution "
            "(Jayasumana et al. 2024).",
            "Published values are a large CLIP's: with this project's own only the distance from the floor counts.",
        ),
    ]  # fmt: skip


WORDS = {word.key: word for word in (*_IMAGES, *_sets())}
_SPACE = {space.judge: space.title for space in SPACES.values()}


def full_title(word: Word) -> str:
    """ "Recall in raw pixels": the title of a metric of sets with the space it is measured in."""
    return f"{word.title} in {_SPACE[word.judge]}" if word.group == "sets" and word.key != "cmmd" else word.title


def asserted_by(word: Word) -> str:
    """Who or what says so: "CLIP", "raw pixels"."""
    return _SPACE[word.judge] if word.group == "sets" else JUDGES[word.judge]
