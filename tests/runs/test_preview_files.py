"""Names of the files of previews say what each of them is."""

from pathlib import Path

import pytest

from distill.runs.preview_files import PreviewKind, PreviewSound, Slot, original_of, pair_names, sample_name


@pytest.mark.parametrize(("epoch", "number"), [(0, 0), (7, 2), (12_345, 123)])
def test_a_name_is_read_as_it_was_given(tmp_path: Path, epoch: int, number: int) -> None:
    original, reconstruction = (tmp_path / name for name in pair_names(epoch, number))
    assert original_of(reconstruction) == original
    for path, kind in (
        (tmp_path / sample_name(epoch, number), PreviewKind.SAMPLE),
        (original, PreviewKind.ORIGINAL),
        (reconstruction, PreviewKind.RECONSTRUCTION),
    ):
        slot = Slot(kind is not PreviewKind.SAMPLE, number)
        assert PreviewSound.from_path(path) == PreviewSound(slot, kind, epoch, path)


def test_names_are_those_of_older_versions() -> None:
    assert sample_name(20, 1) == "preview_epoch0020_01.wav"
    assert pair_names(20, 1) == ("recon_epoch0020_orig_01.wav", "recon_epoch0020_recon_01.wav")
