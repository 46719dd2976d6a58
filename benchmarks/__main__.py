"""Measure the speed of everything on this machine, side by side in one run.

    python -m benchmarks                     all parts
    python -m benchmarks sampling peers      some of them
    python -m benchmarks --table             write the tables of what was measured last again

Nothing else may run meanwhile. Each part writes benchmarks/results/PART.json with the machine it ran on; then
docs/benchmarks.md is written from all of them. Peers need requirements-bench.txt.
"""

import argparse
import json
import time
from importlib import import_module

from benchmarks import machine, tables
from diffusion_core.checkpoint import revision

# Each part is a file with a function `measure`; peers come after sampling, whose rates their ratios are of.
PARTS = {
    "sampling": "sampling", "peers": "peers", "quality": "quality", "app": "page", "scoring": "scoring",
    "training": "training", "cas": "cas", "synthetic": "synthetic", "hand": "hand",
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
    code = revision()  # before any part has written its results
    for part in chosen:
        print(f"== {part}", flush=True)
        start = time.monotonic()
        found = import_module(f"benchmarks.{PARTS[part]}").measure(described)
        if part == "sampling":
            described["ours"] = found["checkpoints"]
        said = {k: v for k, v in described.items() if k != "ours"}
        record = {"machine": said, "revision": code, "minutes": (time.monotonic() - start) / 60, "found": found}
        tables.RESULTS.mkdir(exist_ok=True)
        (tables.RESULTS / f"{part}.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    tables.write()


if __name__ == "__main__":
    main()
