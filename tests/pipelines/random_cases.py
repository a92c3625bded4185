"""Random truths and detections, and what pycocotools and faster-coco-eval say of them."""

import contextlib
import copy
import io

import faster_coco_eval as faster
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def random_case(seed):
    """Eight images of three classes: a COCO data set, and detections of it."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, object]] = []
    detections: list[dict[str, object]] = []
    for image in range(1, 9):
        for _ in range(rng.integers(0, 9)):
            side = rng.choice([20.0, 60.0, 150.0])
            box = [*rng.uniform(0, 350, 2), side, side * rng.uniform(0.7, 1.4)]
            crowd = int(rng.random() < 0.1)
            category = int(rng.integers(1, 4))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": crowd,
                }
            )
            for _ in range(rng.integers(0, 4)):
                shift = rng.normal(0, side / 8, 4)
                near = [float(v) for v in np.maximum(np.add(box, shift), 1)]
                guess = category if rng.random() < 0.8 else int(rng.integers(1, 4))
                score = round(float(rng.random()), 2)
                detections.append(
                    {"image_id": image, "category_id": guess, "bbox": near, "score": score}
                )
    dataset = {
        "info": {},
        "images": [{"id": i, "width": 512, "height": 512} for i in range(1, 9)],
        "categories": [{"id": i, "name": f"class {i}"} for i in range(1, 4)],
        "annotations": annotations,
    }
    return dataset, detections


def pycocotools_figures(dataset, detections):
    """COCO's twelve figures, as shares."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def faster_figures(dataset, detections):
    """COCO's twelve figures by faster-coco-eval, which matches in C++, as shares."""
    truth = faster.COCO(dataset, use_deepcopy=True)
    evaluation = faster.COCOeval_faster(truth, truth.loadRes(copy.deepcopy(detections)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[:12]
