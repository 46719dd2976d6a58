"""Samples against the training digits, in the features of the classifier judge, which chose nothing.

    python -m app sample mnist --per-class 200 --seed 0 --out x.npz
    python -m benchmarks.quality x.npz

Prints the same for as many real test digits: FD is biased by n, so only the ratio of the two means something.
"""

import argparse

from benchmarks.sweep import Ruler, show
from eval.sources import RealSource, open_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", help="an .npz file")
    samples = open_source(parser.parse_args().samples)
    labels, seeds = samples.plan(None)
    test = RealSource("test")
    real_labels, real_seeds = test.plan(int(labels.bincount().min()))
    ruler = Ruler("classifier")
    floor = ruler.measure(test.images(real_labels, real_seeds), real_labels)
    found = ruler.measure(samples.images(labels, seeds), labels)
    show({"": "real test digits", **floor})
    show({"": samples.name, **found}, f"FD / floor {found['fd'] / floor['fd']:.2f}")


if __name__ == "__main__":
    main()
