"""This project's SSDs: what a row changes, and where the first weights come from."""

import pytest
import torch
from safetensors.torch import save_file

from method.boxes import BoxCoding
from method.choices import HeadInit, Law, Sampler
from method.ssd import SSD
from pipelines.detectors.build import build_detector
from pipelines.detectors.ssd import ssd_config
from pipelines.runs.spec import DetectorName, Released, RunSpec
from pipelines.system.errors import UserError

IMAGES = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)


def small(**changes):
    return RunSpec(input_size=64, width=0.25, **changes)


def test_the_two_detectors_differ_in_their_attachment_alone():
    custom = ssd_config(small(), 3)
    original = ssd_config(small(detector=DetectorName.SSD_MOBILENET_V2), 3)
    assert (custom.attach, original.attach) == ((5, 8), (14, 17))
    assert ssd_config(small(attach=(6, 10)), 3).attach == (6, 10)
    assert {k: v for k, v in vars(custom).items() if k != "attach"} == {
        k: v for k, v in vars(original).items() if k != "attach"
    }


def test_each_switch_of_the_released_code_changes_its_own_place():
    plain = ssd_config(small(sampler=Sampler.DNS), 3)
    assert plain.selection.score_floor == 0.01

    def released(switch):
        config = ssd_config(small(sampler=Sampler.DNS, released=(switch,)), 3)
        return {k: v for k, v in vars(config).items() if v != getattr(plain, k)}

    assert released(Released.SOFTMAX_TWICE) == {"softmax_twice": True}
    assert released(Released.CORNER_CODING) == {"coding": BoxCoding.CORNER}
    assert released(Released.NO_VARIANCES) == {"coding": BoxCoding.SSD_UNSCALED}
    assert released(Released.SAMPLE_LIMIT)["sampling"].limit == 10_000
    assert released(Released.MINE_OVER_BATCH)["sampling"].over_batch
    assert released(Released.INCLUSIVE_OVERLAP)["matching"].inclusive_overlap
    assert released(Released.WHOLE_PIXELS)["selection"].whole_pixels
    assert released(Released.LATER_WINS)["matching"].later_wins
    assert released(Released.WHOLE_PIXEL_TARGETS) == {"whole_pixel_targets": True}
    selection = released(Released.SCORE_FLOOR)["selection"]
    assert (selection.score_floor, selection.nms_iou, selection.candidates) == (0.3, 0.3, 300)
    assert (selection.in_order, selection.best_class_only) == (True, True)


def test_another_training_gives_all_but_the_heads(tmp_path):
    other = build_detector(small(seed=1), 5, IMAGES)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in other.state_dict().items()}, path)
    detector = build_detector(small(init=str(path)), 3, IMAGES)
    plain = build_detector(small(), 3, IMAGES)
    for name, value in detector.state_dict().items():
        expected = plain if "_heads." in name else other
        assert torch.equal(value, expected.state_dict()[name]), name


def test_a_run_of_no_steps_has_all_of_another_s_weights(tmp_path):
    other = build_detector(small(seed=1), 3, IMAGES)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in other.state_dict().items()}, path)
    detector = build_detector(small(init=str(path), iterations=0), 3, IMAGES)
    for name, value in detector.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    with pytest.raises(UserError, match="is not of this detector"):
        build_detector(small(init=str(path), iterations=0), 4, IMAGES)


@pytest.mark.parametrize("init", list(HeadInit))
def test_the_heads_start_as_the_specification_says(init):
    detector = build_detector(small(head_init=init), 3, IMAGES)
    plain = build_detector(small(), 3, IMAGES)
    assert isinstance(detector, SSD)
    assert isinstance(plain, SSD)
    own, law = detector.state_dict()["class_heads.0.weight"], init.of_heads
    fan = own[0].numel()
    deviation = {
        Law.XAVIER: (2 / (fan + 9 * len(own))) ** 0.5,
        Law.PYTORCH: (3 * fan) ** -0.5,
        Law.SMALL: 0.01,
    }
    assert own.std().item() == pytest.approx(deviation[law], rel=0.1)
    weights = detector.state_dict()
    for name, value in plain.state_dict().items():
        assert not name.startswith("encoder.") or torch.equal(value, weights[name])


def test_the_number_of_detections_kept_is_the_specification_s():
    assert ssd_config(small(max_detections=300), 3).selection.most == 300


def test_weights_of_too_few_blocks_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    state = build_detector(small(), 3, IMAGES).state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    with pytest.raises(UserError, match=r"init: the file has no encoder\.9\."):
        build_detector(small(init=str(path), attach=(5, 10)), 3, IMAGES)


def test_a_file_that_holds_no_weights_is_an_error_of_the_user(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(UserError, match="run with scale-aware-ssd"):
        build_detector(small(init=str(path)), 3, IMAGES)


def test_class_weights_must_fit_the_data_set():
    with pytest.raises(UserError, match="2 class weights for 3 classes"):
        build_detector(small(class_weights=(1.0, 2.0)), 3, IMAGES)
