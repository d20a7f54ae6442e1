"""Which runtimes a deployment benchmark can measure on this machine."""

from collections.abc import Sequence

import torch

from mmkd_video.export import backend_of_file
from mmkd_video.workflows.measure.deploy_candidates import COMPILE, EXPORTED, RUNTIMES


def choose_runtimes(asked: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """Return the runtimes to measure, and why others are left out.

    Args:
        asked: Names; all of these are measured or the benchmark fails. None for all that this machine can run.

    Raises:
        MissingExtraError: A runtime is not installed.
    """
    if asked is not None:
        return list(asked), {}
    reasons = {runtime: reason_against(runtime) for runtime in RUNTIMES}
    left_out = {runtime: reason for runtime, reason in reasons.items() if reason is not None}
    return [runtime for runtime in RUNTIMES if runtime not in left_out], left_out


def reason_against(runtime: str) -> str | None:
    """Return why this machine cannot run a runtime; None where it can.

    Args:
        runtime: One of ``RUNTIMES``.

    Raises:
        MissingExtraError: It is not installed.
    """
    if runtime == COMPILE:
        return _reason_against_compiling()
    if runtime not in EXPORTED:
        return None
    suffix, precision = EXPORTED[runtime]
    return backend_of_file(f'model{suffix}').reason_against(precision)


def _reason_against_compiling() -> str | None:
    """Compile something small: what Inductor needs (a C++ compiler, Python's headers) differs by machine."""
    try:
        with torch.inference_mode():
            torch.compile(torch.nn.Softplus(), dynamic=False)(torch.ones(8))
    except Exception as error:  # the compiler's own kinds of errors are not public
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return f'torch.compile needs a C++ compiler ({reason.strip()})'
    return None
