"""The files that first weights come from."""

import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from safetensors.torch import save_file

from pipelines.detectors.build import build_detector
from pipelines.detectors.weights import weights_fingerprint
from pipelines.runs.spec import DetectorName, RunSpec, Schedule
from pipelines.system.errors import UserError


@pytest.mark.parametrize("init", ["absent.npz", "imagenet", "."])
def test_weights_that_are_not_there_are_named(init):
    with pytest.raises(UserError, match="give none, torchvision, zoo, or"):
        weights_fingerprint(init)


IMAGES = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)
DETECTORS = (
    DetectorName.LAPNET,
    DetectorName.SSDLITE,
    DetectorName.RETINANET_TORCHVISION,
    DetectorName.FASTER_RCNN_R50,
    DetectorName.RETINANET_R50,
)


def built(detector, classes, **changes):
    spec = RunSpec(detector=detector, input_size=64, schedule=Schedule.COSINE, **changes)
    return build_detector(spec, classes, IMAGES)


@pytest.fixture(scope="module", params=DETECTORS)
def other(request, tmp_path_factory):
    """A detector of three classes and another seed, and the file of its weights."""
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    detector = built(request.param, 3, seed=1)
    save_file({k: v.contiguous() for k, v in detector.state_dict().items()}, path)
    return request.param, detector.state_dict(), path


@pytest.mark.slow
def test_a_run_goes_on_from_all_of_another_s_weights(other, capsys):
    name, weights, path = other
    for name_of_layer, value in built(name, 3, init=str(path)).state_dict().items():
        assert torch.equal(value, weights[name_of_layer]), name_of_layer
    assert "afresh" not in capsys.readouterr().err


@pytest.mark.slow
def test_layers_of_other_classes_start_afresh_and_are_named(other, capsys):
    name, weights, path = other
    found, plain = built(name, 5, init=str(path)).state_dict(), built(name, 5).state_dict()
    said = capsys.readouterr().err.split("start afresh: ")[1].split()
    fresh = [n for n, value in plain.items() if value.shape != weights[n].shape]
    assert fresh
    for layer, value in found.items():
        assert torch.equal(value, (plain if layer in fresh else weights)[layer]), layer
    assert [layer.removeprefix("model.") for layer in fresh] == [
        layer.rstrip(",").removeprefix("model.") for layer in said
    ]


@pytest.mark.slow
def test_what_is_scored_untrained_must_fit_whole(other):
    name, _, path = other
    with pytest.raises(UserError, match="is not of this detector: nothing fits"):
        built(name, 5, init=str(path), iterations=0)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(built(DetectorName.SSDLITE, 3).state_dict(), path)
    with pytest.raises(UserError, match=r"model\.safetensors has no .* of \("):
        built(DetectorName.LAPNET, 3, init=str(path))


def test_a_checkpoint_of_detectron2_s_own_is_a_start(tmp_path, capsys):
    trained = built(DetectorName.RETINANET_R50, 3, seed=1)
    optimiser = torch.optim.SGD(trained.parameters(), lr=0.1, momentum=0.9)
    DetectionCheckpointer(trained.model, str(tmp_path), optimizer=optimiser).save("last", step=7)
    path = tmp_path / "last.pth"
    found = built(DetectorName.RETINANET_R50, 3, init=str(path)).state_dict()
    for name, value in found.items():
        assert torch.equal(value, trained.state_dict()[name]), name
    torch.save({"model": {"a": object}}, path)
    with pytest.raises(UserError, match=r"last\.pth: no weights of Detectron2"):
        built(DetectorName.RETINANET_R50, 3, init=str(path))
