"""Trains the judges: `python -m eval.train_judges classifier|selector|clip [--minutes M]`.

Only the training split is used. Its last 5,000 images are held out: whatever had to be chosen (the
architecture, the augmentation, the number of passes) was chosen on them. The test split is read once,
after training, for the card.
"""

import argparse
from pathlib import Path

import torch
from torch.nn import functional as F

from diffusion_core.data import Dataset, load
from eval import train_classifier, train_clip
from eval.cards import measured, write
from eval.clip import ClipModel
from eval.clip_files import WEIGHTS
from eval.judge import JUDGES, chunked
from eval.meaning import damage_auc, shape_auc
from eval.prompts import PROMPT_SETS

HELD_OUT = 5_000


def split(data: Dataset) -> tuple[Dataset, Dataset]:
    """The training split in two: what is learned from, and the last 5,000 images."""
    first, last = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
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
    }


def training_note(name: str, data: Dataset, seed: int, passes: float, **more) -> dict:
    return {
        "split": f"train, first {len(data.images)} images; the last {HELD_OUT} are held out",
        "seed": seed,
        "epochs": round(passes, 2),
        **more,
        "command": f"python -m eval.train_judges {name}",
    }


def make_classifier(name: str, minutes: float, folder: Path) -> dict:
    """Train, measure and save `classifier` or `selector`; returns the card's test section."""
    data, held = split(load("mnist", "train"))
    recipe = train_classifier.RECIPES[name]

    def accuracy(net: torch.nn.Module) -> float:
        return (chunked(net, held.images).argmax(1) == held.labels).float().mean().item()

    def report(net: torch.nn.Module) -> None:
        print(f"held out {accuracy(net):.4%}", flush=True)

    net, passes = train_classifier.train(recipe, data.images, data.labels, minutes, report)
    test = load("mnist", "test")
    card = card_head(name, recipe.role, net, data) | {
        "training": training_note(
            name,
            data,
            recipe.seed,
            passes,
            augmentation="shift 2 px, turn 10 degrees, scale 10 %, shear 0.1, each at most",
            loss="cross-entropy, no label smoothing",
            held_out_accuracy=accuracy(net),
        ),
        "test": measured(F.softmax(chunked(net, test.images), dim=1), test.labels),
    }
    write(folder, "model.safetensors", net, card)
    return card["test"]


def make_clip(minutes: float, folder: Path) -> dict:
    """Train, measure and save the digit CLIP; returns the card's test section."""
    data, held = split(load("mnist", "train"))

    def judge(model: torch.nn.Module, tokenizer, images: torch.Tensor, labels: torch.Tensor) -> dict:
        clip = ClipModel("digit", model, tokenizer, "", {})
        return {name: measured(clip.logits(images, name).softmax(1), labels) for name in PROMPT_SETS}

    def report(model: torch.nn.Module, tokenizer) -> None:
        for name, found in judge(model, tokenizer, held.images, held.labels).items():
            print(f"held out {found['accuracy']['value']:.4%} with the {name} prompts", flush=True)

    model, tokenizer, passes = train_clip.train(
        data.images, data.labels, data.spec.mean, data.spec.std, folder, minutes, report
    )
    on_held_out = judge(model, tokenizer, held.images, held.labels)
    test = load("mnist", "test")
    clip = ClipModel("digit", model, tokenizer, "", {})
    card = card_head("clip", "text judge; zero-shot by captions", model, data) | {
        "training": training_note(
            "clip",
            data,
            train_clip.SEED,
            passes,
            augmentation="as the classifier, a quarter zoomed by 0.6 to 1.15; 20 % damaged, 10 % no digit",
            captions="digit, quality, thickness, slant, width, size; true, false or undecided for each image",
            loss="sigmoid over decided image-caption pairs, cross-entropy over ten digits in one wording",
            held_out_accuracy=on_held_out["default"]["accuracy"]["value"],
        ),
        "test": judge(model, tokenizer, test.images, test.labels),
        "damage_auc": damage_auc(clip, test.images[:2000]),
        "shape_auc": shape_auc(clip, test.images),
    }
    write(folder, WEIGHTS, model, card)
    return {name: found["accuracy"] for name, found in card["test"].items()}


def main(arguments: list[str] | None = None) -> None:
    """Train one judge and print its accuracy on the real test digits; argparse ends bad arguments with code 2."""
    parser = argparse.ArgumentParser(prog="python -m eval.train_judges", description=__doc__.split("\n")[0])
    parser.add_argument("judge", choices=[*train_classifier.RECIPES, "clip"])
    parser.add_argument("--minutes", type=float, default=120.0, help="stop by then (default 120)")
    parser.add_argument("--out", type=Path, default=JUDGES, help="folder of the judges' folders")
    options = parser.parse_args(arguments)
    folder = options.out / options.judge
    if options.judge == "clip":
        print(make_clip(options.minutes, folder))
    else:
        print(make_classifier(options.judge, options.minutes, folder)["accuracy"])


if __name__ == "__main__":
    main()
