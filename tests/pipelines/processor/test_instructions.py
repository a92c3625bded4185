"""What a processor has, by what Linux says of it; what PyTorch uses, by its own word."""

import pytest
import torch

from pipelines.processor.instructions import bf16_instructions, run_on

XEON = "processor\t: 0\nmodel name\t: Intel\nflags\t\t: fpu avx512f {}\nbugs\t\t: spectre_v1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd i8mm bf16\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (XEON.format("avx512_bf16 amx_bf16 amx_tile"), ["avx512_bf16", "amx_bf16"]),
        (XEON.format("avx512_vnni"), []),
        (ARM, ["bf16"]),
        ("nothing known\n", []),
    ],
)
def test_instructions_for_bf16_are_those_that_linux_lists(said, found, tmp_path):
    (tmp_path / "cpuinfo").write_text(said)
    assert bf16_instructions(tmp_path / "cpuinfo") == found


def test_where_the_system_does_not_say_there_are_none(tmp_path):
    assert bf16_instructions(tmp_path / "cpuinfo") == []


def capabilities():
    return torch.backends.cpu.get_cpu_capability(), torch.ops.mkldnn._is_mkldnn_bf16_supported()


def test_an_imitated_processor_lacks_what_it_should_and_this_one_stays_as_it_is():
    before = capabilities()
    assert run_on("as if without AVX-512", capabilities) == ("AVX2", False)
    assert run_on("as it is", capabilities) == before == capabilities()
