"""The command that compares two reports: folders, or the ones of two checkpoints that fit together."""

import json
from argparse import Namespace
from pathlib import Path

from app.terminal import describe_comparison, say
from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import to_dict
from diffusion_core.errors import UserError
from eval.sources import CHECKPOINTS, checkpoint_folder


def compare(arguments: Namespace) -> dict:
    from eval.compare import compare as compare_reports

    a, b = find_pair(arguments.a, arguments.b)
    comparison = compare_reports(a, b)
    result = comparison.to_dict() | side_by_side(a, b)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        checkpoints.write_synced(arguments.out / "comparison.json", text.encode())
    say(arguments, describe_comparison(comparison, result))
    return result


def side_by_side(a, b) -> dict:
    """What only pairs of images can show, as JSON: flips and matrices by judge, the nearest and farthest pairs."""
    from eval.pairs import are_pairs, config_difference, flips, matrix_difference, nearest_farthest

    found = {"config": [list(row) for row in config_difference(a, b)]}
    if not are_pairs(a, b):
        return found
    judges = [judge for judge in a.confusions if judge in b.confusions]

    def listed(sides) -> dict:
        return {name: [entry._asdict() for entry in entries] for name, entries in sides._asdict().items()}

    return found | {
        "flips": {judge: listed(flips(a, b, judge)) for judge in judges},
        "matrix_difference": {judge: matrix_difference(a, b, judge) for judge in judges},
        "pairs": listed(nearest_farthest(a, b)),
    }


def find_pair(a: str, b: str) -> tuple:
    """Two reports: folders as they are; of checkpoints, the largest plan that both have in common, and of one plan the
    report that was drawn as the checkpoint recommends."""
    options = [_reports(name) for name in (a, b)]
    plans = [{_plan(report): report for report in found} for found in options]
    if len(options[0]) == len(options[1]) == 1:
        return tuple(next(iter(p.values())) for p in plans)
    common = sorted(plans[0].keys() & plans[1].keys())
    if not common:
        said = "; ".join(f"'{name}' has {_named(found)}" for name, found in ((a, plans[0]), (b, plans[1])))
        raise UserError(f"There are no reports on the same plan: {said}. Score both with the same options.")
    return plans[0][common[-1]], plans[1][common[-1]]


def _reports(name: str) -> list:
    """Those drawn as the checkpoint recommends come last."""
    from eval.report import load as load_report
    from eval.report import saved

    if (Path(name) / "report.json").is_file():
        return [load_report(Path(name))]
    folder = CHECKPOINTS / "real" if name == "real" else checkpoint_folder(name)
    found = saved(folder / "reports")
    if not found:
        raise UserError(f"'{name}' has no report yet. Run: python -m app score {name}")
    reports = [load_report(path) for path in found]
    if name == "real":
        return reports
    own = to_dict(checkpoints.read_meta(folder).sample)
    return sorted(reports, key=lambda report: report.source.sample == own)


def _plan(report) -> tuple:
    return (report.plan["count"], report.plan["seed"], report.scorers)


def _named(plans: dict[tuple, object]) -> str:
    """ "2,000 images from seed 0 by 6 scorers, 100 images from seed 7 by 2 scorers"."""
    return ", ".join(f"{n:,} images from seed {seed} by {len(scorers)} scorers" for n, seed, scorers in sorted(plans))
