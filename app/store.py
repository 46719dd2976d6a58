"""Finds checkpoints and reports under one folder and keeps the last few in memory. No gradio.

A name that came from a browser is only ever compared with the names found on disk; it is never made
part of a path. What is damaged is listed with its problem, and everything else goes on working.
"""

from collections import Counter
from pathlib import Path

from app import classes
from app.entries import REAL, Entry, known, of_data_sets, rank, usable
from app.judging import Judges
from app.kept import Kept
from app.restored_work import RESTORATIONS, Restored
from app.restored_work import read as read_restorations
from app.runs import Run
from app.runs import read as read_run
from app.shelf import Shelf, is_own
from app.studied import Studied
from app.studied import read as read_study
from app.studying import ROWS
from app.sweep import SWEEP, Sweep
from app.sweep import read as read_sweep
from app.tuned import SUMMARY, Tuning
from app.tuned import read as read_tuning
from app.words import plural
from diffusion_core.checkpoint import Checkpoint, CheckpointMeta, read_meta
from diffusion_core.checkpoint import load as load_checkpoint
from diffusion_core.config import to_dict
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from diffusion_core.fit import LOG
from eval.report import Report
from eval.report import load as load_report


class Store:
    """What lies under `root`: `NAME/checkpoint.json` and `NAME/reports/ID/report.json`."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self._checkpoints = Kept(load_checkpoint, size=3)
        self._metas = Kept(read_meta, size=64)
        self._reports = Kept(load_report, size=48)
        self._runs = Kept(read_run, size=16)
        self._sweeps = Kept(read_sweep, size=16)
        self._tunings = Kept(read_tuning, size=16)
        self._restorations = Kept(read_restorations, size=16)
        self._studies = Kept(read_study, size=16)
        self.shelf = Shelf()
        self.judges = Judges(self.explain)

    # --- checkpoints -------------------------------------------------------

    def checkpoints(self) -> list[Entry]:
        """Every folder with a checkpoint, the favourite first; damaged ones carry their problem."""
        entries = [self._checkpoint_entry(path) for path in self._folders(self.root, "checkpoint.json")]
        return of_data_sets(sorted(entries, key=rank))

    def checkpoint(self, key: str) -> Checkpoint:
        """The loaded checkpoint; `UserError` for an unknown or damaged one."""
        return self._checkpoints(self.root / known(key, self.checkpoints(), "checkpoint"))

    def meta(self, key: str) -> CheckpointMeta:
        """Its manifest alone, without building the network."""
        return self._metas(self.root / known(key, self.checkpoints(), "checkpoint"))

    def _checkpoint_entry(self, path: Path) -> Entry:
        try:
            meta = self._metas(path)
        except UserError as error:
            return Entry(path.name, path.name, self.explain(error))
        return Entry(path.name, f"{path.name} · {plural(meta.images_seen, 'image')} seen", None, meta.dataset)

    def _dataset(self, folder: Path) -> str:
        """Whose images a run or a tuning draws: its checkpoint says so, or its parent. "" where neither does."""
        try:
            return self._metas(folder).dataset
        except UserError:  # it has not saved weights yet, or came without them
            pass
        try:
            parent = self._tunings(folder).summary["parent"]
            return next((entry.dataset for entry in self.checkpoints() if entry.key == parent), "")
        except UserError:
            return ""

    # --- reports -----------------------------------------------------------

    def reports(self) -> list[Entry]:
        """Every report; a key is "NAME/ID". The favourite's come first and those of real images last, and of
        one checkpoint the largest, then those drawn as it recommends, then the newest; damaged ones come last."""
        found = [
            self._report_entry(owner, path)
            for owner in self._folders(self.root, "reports")
            for path in self._folders(owner / "reports", "report.json")
        ]
        entries = of_data_sets([entry for entry, _ in sorted(found, key=lambda pair: (*rank(pair[0]), *pair[1]))])
        titles = Counter(entry.title for entry in entries)
        return [
            entry if titles[entry.title] == 1 else entry._replace(title=f"{entry.title} · {entry.key.split('/')[1]}")
            for entry in entries
        ]

    def report(self, key: str) -> Report:
        """The report called "NAME/ID", or a visitor's own; `UserError` for an unknown or damaged one."""
        if is_own(key):
            return self.shelf.get(key)
        name, _, identity = known(key, self.reports(), "report").partition("/")
        path = self.root / name / "reports" / identity
        report = self._reports(path)
        if report.images is not None or classes.away(report.source.dataset):
            return report
        self._reports.forget(path)  # its images were fetched meanwhile
        return self._reports(path)

    def report_key(self, name: str | None) -> str | None:
        """The usable report that `name` means: "NAME/ID" itself, or the first one of "NAME"; else None."""
        keys = [entry.key for entry in usable(self.reports())]
        return next((key for key in keys if name in (key, key.split("/")[0])), None)

    def real_entries(self, dataset: str) -> list[Entry]:
        """The reports of the real test images of a data set."""
        return [e for e in usable(self.reports()) if e.key.split("/")[0] == REAL and e.dataset == dataset]

    def real_rows(self, label: int, dataset: str) -> dict | None:
        """The score columns of the real test images of one class; None without a report of real images."""
        for entry in self.real_entries(dataset):
            real = self.report(entry.key)
            return {key: values.to_numpy() for key, values in real.table[real.table["label"] == label].items()}
        return None

    def real_beside(self, report: Report) -> Report | None:
        """The real test images under the same judges, if they were scored; None beside real images themselves."""
        if report.source.kind == "real":
            return None
        found = (self.report(entry.key) for entry in self.real_entries(report.source.dataset))
        return next((real for real in found if set(real.scorers) >= set(report.scorers)), None)

    def report_files(self, key: str) -> set[str]:
        """The names of the files of a report."""
        name, _, identity = known(key, self.reports(), "report").partition("/")
        return {path.name for path in (self.root / name / "reports" / identity).iterdir() if path.is_file()}

    def recognition(self, name: str) -> dict | None:
        """The section "recognition" of a report of the checkpoint `name` as it is now; None where there is none."""
        sha256 = self.meta(name).sha256
        for entry in usable(self.reports()):
            if entry.key.split("/")[0] == name and self.report(entry.key).source.sha256 == sha256:
                found = self.report(entry.key).details.get("recognition")
                if found:
                    return found
        return None

    def _report_entry(self, owner: Path, path: Path) -> tuple[Entry, tuple[float, bool, float]]:
        """The entry, and its place among others of the same checkpoint: -(images), other settings, -(time)."""
        key, time = f"{owner.name}/{path.name}", path.stat().st_mtime
        try:
            report = self._reports(path)
        except UserError as error:
            return Entry(key, f"{owner.name} · {path.name}", self.explain(error)), (0, True, -time)
        others = not self._as_recommended(owner, report)  # first: it makes a data set of the checkpoint's own known
        dataset, count = report.source.dataset, len(report.table)
        noun = classes.noun(dataset)
        name = f"real test {noun}s" if report.source.kind == "real" else owner.name
        title = f"{name} · {', '.join([plural(count, noun), *_settings(report)])}"
        return Entry(key, title, None, dataset), (-count, others, -time)

    def _as_recommended(self, owner: Path, report: Report) -> bool:
        """Whether a report's images were drawn as the checkpoint in its folder recommends now."""
        try:
            return report.source.sample == to_dict(self._metas(owner).sample)
        except UserError:
            return False

    # --- runs --------------------------------------------------------------

    def runs(self) -> list[Entry]:
        """Every training run with a log, the favourite first; damaged ones carry their problem."""
        entries = [self._run_entry(path) for path in self._folders(self.root, LOG)]
        return of_data_sets(sorted(entries, key=rank))

    def run(self, key: str) -> Run:
        """The run called NAME, as far as it is; `UserError` for an unknown or damaged one."""
        return self._runs(self.root / known(key, self.runs(), "training run"))

    def made_of(self, key: str) -> str:
        """Network and optimizer of a run in a few words; "" where there is no checkpoint yet."""
        try:
            meta = self.meta(key)
        except UserError:
            return ""
        widths = "/".join(map(str, meta.network.channels))
        norm = "no" if meta.network.norm == "none" else meta.network.norm
        student = f", student of {meta.parent.split('@')[0]}" if meta.parent else ""
        return f"{widths} channels, {norm} norm, {meta.train.optimizer}, batch {meta.train.batch}{student}"

    def sweep(self, name: str) -> Sweep | None:
        """The settings tried on the checkpoint `name`; None where it lists none, `UserError` for a damaged list."""
        found = {path.name: path for path in self._folders(self.root, SWEEP)}
        return self._sweeps(found[name]) if name in found else None

    def restorations(self, name: str) -> tuple[Restored, ...]:
        """How well the checkpoint `name` restores damaged images; nothing where it was not measured."""
        found = {path.name: path for path in self._folders(self.root, RESTORATIONS)}
        return self._restorations(found[name]) if name in found else ()

    def _run_entry(self, path: Path) -> Entry:
        try:
            run = self._runs(path)
        except UserError as error:
            return Entry(path.name, path.name, self.explain(error))
        return Entry(path.name, f"{path.name} · {plural(run.images, 'image')}", None, self._dataset(path))

    # --- tunings -----------------------------------------------------------

    def tunings(self) -> list[Entry]:
        """Everything that was tuned by a reward; damaged ones carry their problem."""
        return of_data_sets([self._tuning_entry(path) for path in self._folders(self.root, SUMMARY)])

    def tuning(self, key: str) -> Tuning:
        """The tuning called NAME; `UserError` for an unknown or damaged one."""
        return self._tunings(self.root / known(key, self.tunings(), "tuning"))

    def _tuning_entry(self, path: Path) -> Entry:
        try:
            found = self._tunings(path)
        except UserError as error:
            return Entry(path.name, path.name, self.explain(error))
        title = f"{path.name} · {found.summary['tune']['reward']}, of {found.summary['parent']}"
        return Entry(path.name, title, None, self._dataset(path))

    # --- studies -----------------------------------------------------------

    def studied(self, name: str) -> Studied | None:
        """What was measured of the study `name`, beside the folder of checkpoints; None where nothing was."""
        found = {path.name: path for path in self._folders(self.root.parent / "studies", ROWS)}
        return self._studies(found[name]) if name in found else None

    # --- words -------------------------------------------------------------

    def explain(self, error: Exception) -> str:
        """A `UserError`'s line with this machine's folders taken out: fit for a browser."""
        line = str(error)
        for folder in (self.root.resolve().parent, self.root.parent, ROOT, Path.home()):
            if str(folder) not in (".", "/"):
                line = line.replace(f"{folder}/", "")
        return line

    def _folders(self, where: Path, mark: str) -> list[Path]:
        """Sub-folders of `where` that hold `mark`, by name. Hidden and half-written ones are left out."""
        if not where.is_dir():
            return []
        return sorted(p for p in where.iterdir() if p.name[0] not in "._" and (p / mark).exists())


def _settings(report: Report) -> list[str]:
    """What tells two reports of one checkpoint apart, in words."""
    sample = report.source.sample
    if not sample:
        return []
    led = [f"CLIP guidance {sample['clip_guidance']:g}"] if "clip_guidance" in sample else []
    return [f"{sample['steps']} steps", f"guidance {sample['guidance']:g}", *led]
