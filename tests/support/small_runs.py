"""Runs that are quick on two cores: small networks and priors, and no map; also for the processes that tests start."""

import pkgutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

#: Channels of the mel families' networks, a quarter of those that users get.  The Complex VAE has a setting for it.
CHANNELS = (8, 16, 32, 64)
#: Width and blocks of the priors.
PRIOR = (32, 1)
#: Steps that the priors take for each sound at the end of a run.
CLOSING_STEPS = 1
#: Iterations of Griffin-Lim for a preview.
GRIFFIN_LIM_ITERATIONS = 2
#: What each measure of new sounds draws: a sixteenth of what users get.
NEW_SOUNDS = {1: SimpleNamespace(drawn=8, most_detail=8), 2: SimpleNamespace(drawn=16, most_detail=4)}


def make_small(patch: Callable[[str, Any], Any]) -> None:
    """Make networks, priors, previews and measures of new runs small.

    Runs of full size are trained in the tests of other folders.

    Parameters
    ----------
    patch
        Sets what a dotted name stands for, as `pytest.MonkeyPatch.setattr` does.
    """
    patch("distill.models.families.vae_family.CHANNELS", CHANNELS)
    patch("distill.models.vqvae._CHANNELS", CHANNELS)
    patch("distill.training.beginning.prepare.PRIOR_SIZE", PRIOR)
    patch("distill.runs.estimates.estimate._CLOSING_STEPS_PER_SOUND", CLOSING_STEPS)
    patch("distill.audio.griffin_lim._ITERATIONS", GRIFFIN_LIM_ITERATIONS)
    patch("distill.training.steps.new_sound_distance._MEASURES", NEW_SOUNDS)


def leave_map_out(patch: Callable[[str, Any], Any]) -> None:
    """Leave out map and sliders, which take seconds a run and are tested with what computes them."""
    patch("distill.training.ending.model_contents.map_entries", lambda family, network, data: {})


def patch_for_good(name: str, value: Any) -> None:
    """Set what a dotted name stands for, in a process that a test starts."""
    module, _, attribute = name.rpartition(".")
    setattr(pkgutil.resolve_name(module), attribute, value)
