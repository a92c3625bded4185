"""Counters of a processor's energy, as Linux shows them."""

import pytest
import torch

from pipelines.system.energy import EnergyMeter

CPU = torch.device("cpu")


@pytest.fixture
def package(tmp_path):
    """Set the counter of a package, in microjoules; it runs over at 1000 joules."""

    def set_counter(number, microjoules):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir(exist_ok=True)
        (folder / "energy_uj").write_text(f"{microjoules}\n")
        (folder / "max_energy_range_uj").write_text("1000000000\n")

    return set_counter


def test_the_packages_are_added_up_and_their_parts_are_not(package, tmp_path):
    package("0", 5_000_000)
    package("1", 7_000_000)
    package("0:0", 1_000_000)
    meter = EnergyMeter(CPU, tmp_path)
    assert meter.joules() == 0
    package("0", 9_000_000)
    package("1", 8_500_000)
    package("0:0", 4_000_000)
    assert meter.joules() == pytest.approx(4 + 1.5)
    assert meter.joules() == pytest.approx(5.5)


def test_a_counter_that_runs_over_goes_on(package, tmp_path):
    package("0", 998_000_000)
    meter = EnergyMeter(CPU, tmp_path)
    package("0", 3_000_000)
    assert meter.joules() == pytest.approx(5)


def test_where_nothing_can_be_read_nothing_is_said(package, tmp_path):
    assert EnergyMeter(CPU, tmp_path / "none").joules() is None
    package("0", "")
    assert EnergyMeter(CPU, tmp_path).joules() is None
