"""The ratios that `pipelines.benchmark` prints, as they are measured."""

from __future__ import annotations

import statistics

import torch

from pipelines.processor.instructions import PROCESSORS, bf16_instructions, run_on
from pipelines.processor.starts import command_names, first_step, help_ratios
from pipelines.processor.steps import step_ratios
from pipelines.system.cores import usable_cores
from pipelines.system.machine import describe_machine


def print_ratios(input_size: int = 256, batch_size: int = 4, rounds: int = 5) -> None:
    """Ratios of steps, of commands' help and of a run's start.

    Args:
        input_size: side of the images, pixels.
        batch_size: images a step.
        rounds: steps of each kind, and starts of each process.
    """
    cores = usable_cores()
    name = describe_machine(torch.device("cpu"))["device"]
    bf16 = ", ".join(bf16_instructions()) or "none"
    print(f"{name}, threads: {cores}, instructions for bf16: {bf16}\n")
    print(
        f"Step of an SSD at {input_size}   bf16/fp32, 1 thread   {cores} threads   {cores}/1, fp32"
    )
    for processor in PROCESSORS:
        of = run_on(processor, step_ratios, input_size, batch_size, rounds)
        columns = f"{of.bf16_one_thread:19.2f}x{of.bf16_all_threads:11.2f}x{of.threads:11.2f}x"
        print(f"{processor:24s}{columns}", flush=True)
    for processor, variables in PROCESSORS.items():
        if variables:
            means = " ".join(f"{name}={value}" for name, value in variables.items())
            print(f"{processor}: imitated on this processor by {means}")
    helps = help_ratios(command_names(), rounds)
    slowest = max(helps, key=lambda command: helps[command])
    typical = statistics.median(helps.values())
    print(
        f"\nA command's --help: {typical:.1f}x `import argparse`, "
        f"at most {helps[slowest]:.1f}x ({slowest})",
        flush=True,
    )
    seconds, alone, in_study = first_step(input_size, rounds)
    print(
        f"A run until its first step is done: {alone:.1f}x `import torch` ({seconds:.1f} s), "
        f"one of a study's {in_study:.1f}x"
    )
