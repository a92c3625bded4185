"""Claims about speed, held against the timings: whole detections, one image at a time, in fp32.

The papers name no precision; fp32 is the only one in which every detector here can run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipelines.evaluation.timing import ROUNDS_FILE, Work, read_rounds, speed_ratio
from pipelines.evidence.claims.answers import Answer, Evidence, describe_interval, not_testable
from pipelines.evidence.claims.verdicts import Published, Verdict, judge_frames, judge_speed
from pipelines.evidence.study import Study
from pipelines.runs.spec import Precision


def check_frames(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Frames/s: {frames: detector, published}, with `device` where it is not the paper's."""
    published = _parse_bound(claim["published"])
    device = claim.get("device", evidence.paper.device)
    timed = _timed(evidence.study)
    name = claim["frames"]
    if name not in timed.index:
        return not_testable(f"device: {device}; {name} is not timed here either", published.text)
    own = timed.loc[name]
    ours = float(own["frames_a_second"])
    if device in own["device"]:
        verdict, why = judge_frames(published, ours), f"on {own['device']}"
    else:
        verdict, why = Verdict.NOT_TESTABLE, f"device: {device}; ours is {_describe(own)}"
    return Answer(
        verdict,
        why,
        published.text,
        f"{ours:.1f}",
        n=str(own["rounds"]),
        data=_data(evidence),
        difference=f"{ours - published.middle:+.1f}",
    )


def check_speed(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """How many times as fast: {speed: [detector, other], published}.

    In the place of `published`, `of: [a, b]` are the frames/s of both.
    """
    figures = "of" in claim
    published = Published.ratio(*claim["of"]) if figures else Published.parse(claim["published"])
    timed = _timed(evidence.study)
    absent = [name for name in claim["speed"] if name not in timed.index]
    if absent:
        return not_testable(f"not timed here: {' and '.join(absent)}", published.text)
    one, other = (timed.loc[name] for name in claim["speed"])
    works = [Work(name, Precision.FP32, postprocessing=True) for name in claim["speed"]]
    ours = speed_ratio(read_rounds(evidence.study.folder / ROUNDS_FILE), *works)
    why = f"on {_describe(one)}, not {evidence.paper.device}"
    untrained = [row.name for row in (one, other) if row["weights"].startswith("untrained")]
    if untrained:
        why += f"; untrained: {' and '.join(map(str, untrained))}"
    return Answer(
        judge_speed(published, ours),
        why,
        published.text,
        f"{ours.estimate:.2f}",
        describe_interval(ours, places=2),
        str(one["rounds"]),
        _data(evidence),
        difference=f"{ours.estimate - published.middle:+.2f}",
    )


def _timed(study: Study) -> pd.DataFrame:
    """The rows of `speed.csv` that count, by detector; none where nothing is timed."""
    path = study.folder / "speed.csv"
    if not path.exists():
        return pd.DataFrame()
    speed = pd.read_csv(path)
    whole = speed["postprocessing"] & (speed["precision"] == Precision.FP32)
    return speed[whole].set_index("detector")


def _parse_bound(value: Any) -> Published:
    """`<1` as the range from 0 to 1."""
    if isinstance(value, str):
        return Published(0, float(value.removeprefix("<")), value)
    return Published.parse(value)


def _describe(own: pd.Series[Any]) -> str:
    return f"{own['device']} with {own['threads']} threads"


def _data(evidence: Evidence) -> str:
    return f"512×512 images of {evidence.data}"
