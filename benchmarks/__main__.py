"""Measure the speed of everything on this machine, side by side in one run.

    python -m benchmarks                     all parts
    python -m benchmarks sampling peers      some of them
    python -m benchmarks --table             print the tables of what was measured last

Nothing else may run meanwhile. Each part writes benchmarks/results/PART.json with the machine it ran on; then
docs/benchmarks.md is written from all of them. Peers need requirements-bench.txt.
"""

import argparse
import json
import time

from benchmarks import machine, tables
from diffusion_core.checkpoint import revision
from diffusion_core.data import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def sampling(described: dict) -> dict:
    from benchmarks.sampling import measure

    return measure(described)


def peers(described: dict) -> list[dict]:
    """After `sampling`, whose rates the ratios are of: both are measured in this run."""
    from benchmarks.peers import measure

    return measure(described["ours"])


def training(described: dict) -> dict:
    from benchmarks.training import measure

    return measure(described)


def quality(described: dict) -> list[dict]:
    from benchmarks.quality import measure

    return measure(described)


def cas(described: dict) -> list[dict]:
    from benchmarks.cas import measure

    return measure(described)


def scoring(described: dict) -> dict:
    from benchmarks.scoring import measure

    return measure(described)


def app(described: dict) -> list[dict]:
    from benchmarks.page import measure

    return measure(described)


PARTS = {
    "sampling": sampling, "peers": peers, "quality": quality, "app": app, "scoring": scoring, "training": training,
    "cas": cas,
}  # fmt: skip


def main() -> None:
    """Run the parts that were asked for, in the order of PARTS."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--table", action="store_true", help="only write the tables of the last results")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part '{unknown[0]}'; known: {', '.join(PARTS)}")
    chosen = [] if arguments.table else [p for p in PARTS if p in (arguments.parts or PARTS)]
    if "peers" in chosen and "sampling" not in chosen:
        chosen.insert(0, "sampling")
    described = machine.describe() if chosen else {}
    for part in chosen:
        print(f"== {part}", flush=True)
        start = time.monotonic()
        found = PARTS[part](described)
        if part == "sampling":
            described["ours"] = found["checkpoints"]
        said = {k: v for k, v in described.items() if k != "ours"}
        record = {"machine": said, "revision": revision(), "minutes": (time.monotonic() - start) / 60, "found": found}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{part}.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    tables.write()


if __name__ == "__main__":
    main()
