"""Trains the judges of a data set and writes their cards.

`python -m eval.train_judges classifier|second|selector|clip|card JUDGE [--data NAME]`. Only the training split is used.
Its last 5,000 images, or its last tenth where that is fewer, are held out: whatever had to be chosen (the architecture,
the augmentation, the number of passes) was chosen on them. The test split is read once, after training, for the card;
`card JUDGE` reads it again with weights that are there already.
"""

import argparse
import re
import sys
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional as F

from diffusion_core.data import Dataset, load
from eval import train_classifier, train_clip
from eval.augment import said
from eval.captions import FIELDS, vocabulary
from eval.cards import measured, write, write_card
from eval.clip import ClipModel, load_clip, load_small_clip
from eval.clip_files import WEIGHTS
from eval.errors import UserError
from eval.judge import JUDGES, chunked, read_card, read_judge
from eval.meaning import damage_auc, shape_auc
from eval.prompts import PROMPT_SETS

HELD_OUT = 5_000
ZOOMED = ", a quarter zoomed by 0.6 to 1.15"
CLIP_ROLE = "text judge; zero-shot by captions"


def split(data: Dataset) -> tuple[Dataset, Dataset]:
    """The training split in two: what is learned from, and what is held out."""
    border = len(data.images) - min(HELD_OUT, len(data.images) // 10)
    first, last = slice(None, border), slice(border, None)
    return data._replace(images=data.images[first], labels=data.labels[first]), data._replace(
        images=data.images[last], labels=data.labels[last]
    )


def card_head(name: str, role: str, net: torch.nn.Module, data: Dataset) -> dict:
    """What every card begins with."""
    return {
        "name": name,
        "role": role,
        "architecture": type(net).__name__,
        "parameters": sum(p.numel() for p in net.parameters()),
        "dataset": data.spec.name,
        "class_names": list(data.spec.class_names),
        **({"data": data.spec.origin} if data.spec.origin else {}),
        "pixels": {"image": list(data.spec.shape), "mean": data.spec.mean, "std": data.spec.std},
    }


def training_note(name: str, data: Dataset, held: Dataset, seed: int, passes: float, **more) -> dict:
    """A card's section on how a judge was trained: on `data`, `held` kept apart, in so many `passes`; JSON-ready."""
    named = "" if data.spec.name == "mnist" else f" --data {data.spec.name}"
    return {
        "split": f"train, first {len(data.images)} images; the last {len(held.images)} are held out",
        "seed": seed,
        "epochs": round(passes, 2),
        **more,
        "command": f"python -m eval.train_judges {name}{named}",
    }


def make_classifier(name: str, dataset: str, minutes: float, folder: Path) -> dict:
    """Train, measure and save a classifier judge; returns the card's test section."""
    data, held = split(load(dataset, "train"))
    recipe = train_classifier.recipe(name, data.spec)

    def accuracy(net: torch.nn.Module) -> float:
        return (chunked(net, held.images).argmax(1) == held.labels).float().mean().item()

    def report(net: torch.nn.Module) -> None:
        print(f"held out {accuracy(net):.4%}", flush=True)

    net, passes = train_classifier.train(recipe, data.spec, data.images, data.labels, minutes, report)
    test = load(dataset, "test")
    card = card_head(name, recipe.role, net, data) | {
        "training": training_note(
            name,
            data,
            held,
            recipe.seed,
            passes,
            augmentation=said(data.spec),
            loss="cross-entropy, no label smoothing",
            held_out_accuracy=accuracy(net),
        ),
        "test": measured(F.softmax(chunked(net, test.images), dim=1), test.labels),
    }
    write(folder, "model.safetensors", net, card)
    return card["test"]


def make_clip(dataset: str, minutes: float, folder: Path) -> dict:
    """Train, measure and save a small CLIP; returns the card's test section."""
    data, held = split(load(dataset, "train"))
    words = vocabulary(data.spec)

    def report(model: torch.nn.Module, tokenizer) -> None:
        for name, found in clip_test(ClipModel("", model, tokenizer, "", {}, data.spec), held).items():
            print(f"held out {found['accuracy']['value']:.4%} with the {name} prompts", flush=True)

    model, tokenizer, passes = train_clip.train(data.spec, data.images, data.labels, folder, minutes, report)
    model = model.half().float()  # as it is saved: measured is what is kept
    clip, test = ClipModel("", model, tokenizer, "", {}, data.spec), load(dataset, "test")
    card = card_head("clip", CLIP_ROLE, model, data) | {
        "training": training_note(
            "clip",
            data,
            held,
            train_clip.SEED,
            passes,
            augmentation=f"as the classifier{'' if data.spec.fills else ZOOMED}; 20 % damaged, 10 % of no class",
            captions=f"{', '.join(FIELDS if words.strokes else FIELDS[:2])}; true, false or undecided for each image",
            loss="sigmoid over decided image-caption pairs, cross-entropy over all classes in one wording",
            held_out_accuracy=clip_test(clip, held)["default"]["accuracy"]["value"],
        ),
        "test": clip_test(clip, test),
        "damage_auc": damage_auc(clip, test.images[:2000], words),
        **({"shape_auc": shape_auc(clip, test.images)} if words.strokes else {}),
    }
    write(folder, WEIGHTS, model.half(), card)
    return card["test"]


def clip_test(clip: ClipModel, data: Dataset) -> dict[str, dict]:
    """Prompt set -> what `measured` says of a CLIP on `data`, whose images are encoded once."""
    seen = clip.scale * clip.encode_images(data.images)
    return {name: measured((seen @ clip.text_bank(name).T).softmax(1), data.labels) for name in PROMPT_SETS}


def renew_card(dataset: str, folder: Path) -> dict:
    """Measure a saved judge on the test images and replace only `test` in its card; returns that section."""
    card, test = read_card(folder), load(dataset, "test")
    if card.get("architecture") == "CLIP":
        found = clip_test(load_small_clip(folder, test.spec), test)
    else:
        found = measured(read_judge(folder).probabilities(test.images), test.labels)
    write_card(folder, card | {"test": found})
    return found


def make_pretrained_card(name: str, dataset: str, out: Path) -> dict:
    """Measure a CLIP that is not ours, as `load_clip` knows it; its card goes to `out`/<name>; returns `test`."""
    clip, test = load_clip(name, dataset), load(dataset, "test")
    card = card_head(clip.name, CLIP_ROLE, clip.model, test) | {"test": clip_test(clip, test), "sha256": clip.sha256}
    write_card(out / re.sub(r"[^A-Za-z0-9._-]+", "-", clip.name), card)
    return card["test"]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; bad arguments end it with code 2."""
    parser = argparse.ArgumentParser(prog="python -m eval.train_judges", description=__doc__.split("\n")[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    names = [*train_classifier.RECIPES, "clip"]
    commands = {name: tasks.add_parser(name, help=f"train the judge '{name}'") for name in names}
    for command in commands.values():
        command.add_argument("--minutes", type=float, default=120.0, help="stop by then (default 120)")
    card = commands["card"] = tasks.add_parser("card", help="measure a trained judge again; only its card changes")
    card.add_argument("judge", choices=names)
    card.add_argument("--clip", metavar="NAME", help="of 'clip': a pretrained one, MODEL/TAG or a folder, instead")
    for command in commands.values():
        command.add_argument("--data", default="mnist", metavar="NAME", help="data set (default mnist)")
        command.add_argument("--out", type=Path, default=JUDGES, help="folder of the data sets' folders of judges")
    options = parser.parse_args(arguments)
    if options.task == "card" and options.clip and options.judge != "clip":
        parser.error("--clip goes with 'card clip' only")
    return options


def work(options: argparse.Namespace) -> dict:
    """What the command line asks for; returns the card's test section."""
    folder = options.out / options.data
    if options.task == "card" and options.clip:
        return make_pretrained_card(options.clip, options.data, folder)
    if options.task == "card":
        return renew_card(options.data, folder / options.judge)
    make = make_clip if options.task == "clip" else partial(make_classifier, options.task)
    return make(options.data, options.minutes, folder / options.task)


def main(arguments: list[str] | None = None) -> None:
    """Train or measure one judge and print its accuracy on the real test images; a user's mistake ends with code 2."""
    try:
        found = work(parse(arguments))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(found["accuracy"] if "accuracy" in found else {name: part["accuracy"] for name, part in found.items()})


if __name__ == "__main__":
    main()
