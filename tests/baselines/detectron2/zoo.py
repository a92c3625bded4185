"""Small detectors of Detectron2's model zoo."""

from baselines.detectron2.detector import Detectron2Detector, configuration
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import DetectorName

FASTER_RCNN_R101 = ENTRIES[DetectorName.FASTER_RCNN_R101].configuration
RETINANET_R50 = ENTRIES[DetectorName.RETINANET_R50].configuration
SIZE = 64


def built(path, classes, seed=0, *, from_scratch=True):
    return Detectron2Detector(configuration(path, classes, from_scratch=from_scratch), SIZE, seed)
