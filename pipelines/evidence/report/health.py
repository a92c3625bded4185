"""Is each training healthy? What each run's record says of it, and the rules that it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from pipelines.evidence.report.plots import Panel, Panels, draw_panel, keys, look
from pipelines.evidence.study import Study
from pipelines.training.health.measures import LADDER, Health
from pipelines.training.health.network import Fit, Spread
from pipelines.training.health.record import read
from pipelines.training.health.rules import Complaint, complaints

COLUMNS = (
    "AP50, test",
    "AP50, training",
    "IoU, anchors",
    "IoU, boxes",
    "box loss, anchors",
    "box loss",
    "class loss, shares",
    "class loss",
    "commonest class, %",
    "class right, %",
    "first logits",
    "first offsets",
    "at the cap, %",
)


@dataclass(frozen=True)
class RunHealth:
    """One run's line in the section."""

    run: str
    cells: Sequence[str]
    """In the order of `COLUMNS`; a dash where a part is out of reach."""
    complaints: Sequence[Complaint]


@dataclass(frozen=True)
class HealthSection:
    """All of the section."""

    columns: Sequence[str]
    runs: Sequence[RunHealth]
    unmeasured: int
    """Runs whose record has no health: trained before it was measured."""
    ladder: Panels | None

    @property
    def sound(self) -> int:
        """Runs that break no rule."""
        return sum(not run.complaints for run in self.runs)


def health_section(study: Study, chosen: Mapping[str, str]) -> HealthSection:
    """The section of a study.

    Args:
        study: the study.
        chosen: label to run of the detectors whose localisation is drawn.
    """
    records = {name: _health(study, name) for name in study.ledger["run"]}
    measured = {name: health for name, health in records.items() if health}
    runs = [RunHealth(name, _cells(own), complaints(own)) for name, own in measured.items()]
    drawn = {label: (run, measured[run]) for label, run in chosen.items() if run in measured}
    return HealthSection(
        COLUMNS, runs, len(records) - len(measured), _ladder(drawn) if drawn else None
    )


def _health(study: Study, run: str) -> Health | None:
    record = study.run(run).record()
    return read(record.health) if record.health else None


def _cells(health: Health) -> list[str]:
    return [
        _number(health.test_AP50, 1),
        _number(health.training_AP50, 1),
        *_fit_cells(health.test),
        *_start_cells(health.start),
        f"{100 * health.at_cap:.0f}",
    ]


def _fit_cells(fit: Fit | None) -> list[str]:
    if fit is None:
        return 8 * ["–"]
    pairs = (
        fit.iou_of_anchors,
        fit.iou,
        fit.box_loss_of_anchors,
        fit.box_loss,
        fit.class_loss_of_shares,
        fit.class_loss,
    )
    return [*(f"{v:.2f}" for v in pairs), f"{100 * fit.commonest:.0f}", f"{100 * fit.accuracy:.0f}"]


def _start_cells(start: Spread | None) -> list[str]:
    return [f"{start.logits:.2f}", f"{start.offsets:.2f}"] if start else 2 * ["–"]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _ladder(drawn: Mapping[str, tuple[str, Health]]) -> Panels:
    """AP at each overlap alone: how well the boxes sit, apart from whether objects are found."""
    legend = keys({label: [run] for label, (run, _) in drawn.items()})
    steps = {label: list(health.ladder.values()) for label, (_, health) in drawn.items()}

    def draw(axes: Axes) -> None:
        for key in legend:
            values = [float("nan") if v is None else v for v in steps[key.label]]
            axes.plot(LADDER, values, **look(key))
        axes.set(xlabel="IoU asked for", ylabel="AP there, %", xlim=(0.1, 0.95))
        axes.set_ylim(bottom=0)

    words = "; ".join(
        f"{label}: {_number(own[0], 1)} at 0.10, {_number(own[8], 1)} at 0.50, "
        f"{_number(own[13], 1)} at 0.75"
        for label, own in steps.items()
    )
    title = "AP by the overlap asked for"
    panel: Panel = draw_panel(title, draw, words)
    return Panels("localisation", "Localisation", legend, [panel])
