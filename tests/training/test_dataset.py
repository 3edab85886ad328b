"""Sounds as training material: the split, the chunks, their variants, the order."""

import tracemalloc
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio import AugmentationPipeline
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.export import write_wav
from distill.errors import NotEnoughSoundsError, SoundError
from distill.models.families.vae_family import MelVAEFamily
from distill.training import AudioTrainingDataset, RegularizationConfig, TrainingConfig, create_data_loaders
from distill.training.data.epoch_batches import EpochBatches
from distill.training.data.split import split_by_file
from distill.training.dataset import FeatureDataset, prepare_sounds
from tests.training.conftest import tone

RATE = 48_000


def contents(folder: Path, files: list[Path], val_fraction: float = 0.2) -> tuple[set[str], set[str]]:
    train, val = split_by_file(prepare_sounds(files, SoundCache(folder)).sounds, val_fraction)
    return {s.content_hash for s in train}, {s.content_hash for s in val}


class TestSplit:
    def test_the_same_whatever_the_order_and_the_names(self, sounds: list[Path], tmp_path: Path) -> None:
        expected = contents(tmp_path / "cache", sounds)
        assert contents(tmp_path / "cache", sounds[::-1]) == expected
        renamed = [path.rename(path.with_name(f"{9 - n} other.wav")) for n, path in enumerate(sounds)]
        assert contents(tmp_path / "cache", renamed) == expected
        assert not expected[0] & expected[1]
        assert (len(expected[0]), len(expected[1])) == (8, 2)

    def test_copies_of_a_sound_are_on_one_side(self, sounds: list[Path], tmp_path: Path) -> None:
        copies = []
        for n, path in enumerate(sounds):
            copies.append(path.with_name(f"copy {n}.wav"))
            copies[-1].write_bytes(path.read_bytes())
        train, val = split_by_file(prepare_sounds([*sounds, *copies], SoundCache(tmp_path / "c")).sounds, 0.2)
        assert not {s.content_hash for s in train} & {s.content_hash for s in val}
        assert len(train) + len(val) == 20
        assert set(Counter(s.content_hash for s in val).values()) == {2}

    @pytest.mark.parametrize(
        ("count", "fraction", "held_out"), [(2, 0.01, 1), (2, 0.5, 1), (3, 0.5, 2), (10, 0.1, 1), (10, 0.3, 3)]
    )
    def test_each_side_has_a_sound(
        self, sounds: list[Path], tmp_path: Path, count: int, fraction: float, held_out: int
    ) -> None:
        train, val = contents(tmp_path / "c", sounds[:count], fraction)
        assert (len(train), len(val)) == (count - held_out, held_out)

    def test_nothing_but_copies(self, sounds: list[Path], tmp_path: Path) -> None:
        copy = sounds[0].with_name("copy.wav")
        copy.write_bytes(sounds[0].read_bytes())
        train, val = split_by_file(prepare_sounds([sounds[0], copy], SoundCache(tmp_path / "c")).sounds, 0.2)
        assert (len(train), len(val)) == (1, 1)


class TestPreparing:
    def test_a_bad_file_is_left_out_with_its_reason(self, sounds: list[Path], tmp_path: Path) -> None:
        bad = tmp_path / "bad.wav"
        bad.write_bytes(b"no sound at all")
        silent = tmp_path / "silent.wav"
        write_wav(silent, np.zeros(RATE, np.float32))
        found = prepare_sounds([bad, *sounds[:3], silent, tmp_path / "gone.wav"], SoundCache())
        assert len(found.sounds) == 3
        assert {s.path.name for s in found.skipped} == {"bad.wav", "silent.wav", "gone.wav"}
        assert all(len(s.reason) > 5 for s in found.skipped)

    def test_too_few_names_each_file_and_why(self, sounds: list[Path], tmp_path: Path) -> None:
        bad = [tmp_path / "bad one.wav", tmp_path / "bad two.wav"]
        for path in bad:
            path.write_bytes(b"no sound at all")
        with pytest.raises(NotEnoughSoundsError) as caught:
            prepare_sounds([*bad, sounds[0]], SoundCache())
        assert isinstance(caught.value, SoundError)
        for word in ("at least 2", "bad one.wav: ", "bad two.wav: ", sounds[0].name):
            assert word in str(caught.value)
        few: list[list[Path | str]] = [[], [sounds[0]], [sounds[0], str(sounds[0])]]
        for files in few:
            with pytest.raises(NotEnoughSoundsError, match="at least 2"):
                prepare_sounds(files, SoundCache())


class TestChunks:
    def test_a_second_each_and_the_last_one_padded(self, sounds: list[Path]) -> None:
        data = AudioTrainingDataset(sounds)
        assert len(data) == data.chunks == 9 + 3  # ten of 0.8 s, but for one of 2.5 s
        assert all(item.shape == (1, RATE) and item.dtype == torch.float32 for item in (data[i] for i in range(12)))
        ends = Counter(int(torch.nonzero(data[i][0]).max()) + 1 for i in range(12))
        assert set(ends) == {round(0.8 * RATE), RATE, RATE // 2}
        with pytest.raises(IndexError):
            data[12]
        with pytest.raises(IndexError):
            data[-1]

    def test_levels_are_by_file_so_that_a_decay_stays_one(self, tmp_path: Path) -> None:
        decay = tone(0, 3.0) * 0.25
        for n in range(2):
            write_wav(tmp_path / f"{n}.wav", np.roll(decay, n * 100))
        data = AudioTrainingDataset([tmp_path / "0.wav", tmp_path / "1.wav"])
        for start in (0, 3):
            peaks = [float(data[start + n].abs().max()) for n in range(3)]
            assert peaks[0] == pytest.approx(1.0, abs=1e-4)
            assert peaks[1] < 0.5 * peaks[0]
            assert peaks[2] < 0.5 * peaks[1]

    def test_a_click_of_a_few_samples_is_a_chunk(self, tmp_path: Path) -> None:
        for n in range(2):
            write_wav(tmp_path / f"{n}.wav", np.asarray([0.5, -0.5 - n / 10], np.float32))
        assert len(AudioTrainingDataset([tmp_path / "0.wav", tmp_path / "1.wav"])) == 2

    def test_other_chunk_lengths(self, sounds: list[Path]) -> None:
        data = AudioTrainingDataset(sounds, chunk_duration_s=0.25)
        assert len(data) == 9 * 4 + 10
        assert data[0].shape == (1, RATE // 4)


class TestVariants:
    def test_each_chunk_comes_in_that_many_different_variants(self, sounds: list[Path]) -> None:
        data = AudioTrainingDataset(sounds, augmentation_pipeline=AugmentationPipeline(), variants=4, seed=3)
        assert len(data) == 4 * data.chunks
        for chunk in range(data.chunks):
            seen = [data[chunk + variant * data.chunks] for variant in range(4)]
            different = [not torch.allclose(a, b, atol=1e-4) for i, a in enumerate(seen) for b in seen[:i]]
            assert all(different)
        plain = AudioTrainingDataset(sounds)
        assert all(torch.equal(data[i], plain[i]) for i in range(plain.chunks))  # variant 0 is the sound itself

    def test_variants_are_a_function_of_content_and_seed(self, sounds: list[Path], tmp_path: Path) -> None:
        def variant(seed: int, cache: str) -> torch.Tensor:
            store = SoundCache(tmp_path / cache)
            return AudioTrainingDataset(sounds, 1.0, AugmentationPipeline(), 2, seed, store)[12]

        one = variant(0, "a")
        assert torch.equal(one, variant(0, "b"))
        assert not torch.allclose(one, variant(1, "b"))

    def test_without_a_pipeline_there_are_none(self, sounds: list[Path]) -> None:
        assert len(AudioTrainingDataset(sounds, variants=4)) == 12


class TestLoaders:
    CONFIG = TrainingConfig(
        batch_size=4, val_fraction=0.2, regularization=RegularizationConfig(augmentation_expansion=3)
    )

    def test_batches_of_waveforms(self, sounds: list[Path]) -> None:
        train, val = create_data_loaders(sounds, self.CONFIG, AugmentationPipeline())
        for loader in (train, val):
            for batch in loader:
                assert batch.shape[1:] == (1, RATE)
                assert batch.shape[0] <= 4
                assert batch.dtype == torch.float32

    def test_held_out_sounds_are_never_changed(self, sounds: list[Path]) -> None:
        _, plain = create_data_loaders(sounds, self.CONFIG)
        _, val = create_data_loaders(sounds, self.CONFIG, AugmentationPipeline())
        assert torch.equal(torch.cat(list(plain)), torch.cat(list(val)))
        assert torch.equal(torch.cat(list(val)), torch.cat(list(val)))  # and in the same order each time

    def test_no_training_chunk_is_held_out(self, sounds: list[Path]) -> None:
        train, val = create_data_loaders(sounds, self.CONFIG, AugmentationPipeline())
        trained = torch.cat(list(train))
        assert sum(map(len, train)) == 3 * (12 - len(torch.cat(list(val))))
        for chunk in torch.cat(list(val)):
            assert not any(torch.equal(chunk, other) for other in trained)

    def test_each_epoch_has_an_order_of_its_own_and_the_same_in_every_run(self, sounds: list[Path]) -> None:
        def epochs(seed: int) -> list[torch.Tensor]:
            config = TrainingConfig(batch_size=4, seed=seed)
            train, _ = create_data_loaders(sounds, config)
            return [torch.cat(list(train)).abs().sum((1, 2)) for _ in range(3)]

        torch.manual_seed(1)
        one = epochs(0)
        stream = torch.get_rng_state()
        torch.manual_seed(2)
        for first, second in zip(one, epochs(0), strict=True):
            assert torch.equal(first, second)
        assert not torch.equal(one[0], one[1])
        assert torch.equal(one[0].sort().values, one[1].sort().values)
        assert not torch.equal(one[0], epochs(1)[0])
        torch.manual_seed(1)
        assert torch.equal(torch.get_rng_state(), stream)  # nothing was drawn from torch's own stream


class TestEpochBatches:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 100])
    def test_every_item_once_in_even_batches(self, size: int) -> None:
        for items in range(1, 60):
            batches = list(EpochBatches(items, size, 5))
            assert sorted(chain(*batches)) == list(range(items))
            lengths = [len(b) for b in batches]
            assert max(lengths) - min(lengths) <= 1
            assert max(lengths) <= size
            assert len(batches) == -(-items // size)

    def test_a_start_in_the_middle_leaves_out_what_was_done(self) -> None:
        whole, part = EpochBatches(50, 4, 1), EpochBatches(50, 4, 1)
        whole.start_at(3)
        part.start_at(3, 5)
        assert len(part) == len(whole) - 5
        assert list(part) == list(whole)[5:]
        assert list(part) == list(whole)  # the next epoch, from its start on
        part.start_at(3, len(whole))
        assert list(part) == []

    def test_the_order_is_a_function_of_seed_and_epoch(self) -> None:
        def order(seed: int | None, epoch: int) -> Any:
            batches = EpochBatches(50, 4, seed)
            batches.start_at(epoch)
            return list(batches)

        assert order(1, 2) == order(1, 2)
        assert order(1, 2) != order(1, 3)
        assert order(1, 2) != order(2, 2)
        assert list(chain(*order(None, 7))) == list(range(50))


class TestFeatures:
    def test_they_are_those_of_the_waveforms(self, sounds: list[Path]) -> None:
        family = MelVAEFamily(TrainingConfig(seed=3))
        loaded = prepare_sounds(sounds, SoundCache()).sounds
        features = FeatureDataset(loaded, family, AugmentationPipeline(), 2)
        waves = AudioTrainingDataset(loaded, 1.0, AugmentationPipeline(), 2, seed=3)
        assert len(features) == len(waves) == 24
        for item in (0, 5, 12, 23):
            expected = family.features(waves[item][None])[0]
            assert features[item].shape == (1, 128, 94)
            torch.testing.assert_close(features[item], expected, rtol=0, atol=4e-3)  # half precision: 0.04 dB

    def test_they_are_computed_once(self, sounds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """So a step on variants costs what a step on the sounds themselves costs: a read."""
        family = MelVAEFamily(TrainingConfig())
        loaded = prepare_sounds(sounds, SoundCache()).sounds
        first = FeatureDataset(loaded, family, AugmentationPipeline(), 3)
        first.prepare()
        expected = next(first.batches(range(36), 36))

        def compute(*args: Any) -> None:
            raise AssertionError("computed again")

        monkeypatch.setattr(MelVAEFamily, "features", compute)
        monkeypatch.setattr(AugmentationPipeline, "__call__", compute)
        again = FeatureDataset(loaded, MelVAEFamily(TrainingConfig()), AugmentationPipeline(), 3)
        again.prepare()
        assert torch.equal(next(again.batches(range(36), 36)), expected)
        with pytest.raises(AssertionError, match="computed again"):
            FeatureDataset(loaded, family, AugmentationPipeline(pitch_semitones=3.0), 3).prepare()

    def test_half_steps_are_computed_from_the_sound(self, sounds: list[Path]) -> None:
        """Windows between the chunks come after them; each knows the item half a chunk before it."""
        family = MelVAEFamily(TrainingConfig())
        loaded = prepare_sounds(sounds, SoundCache()).sounds
        plain = FeatureDataset(loaded, family, AugmentationPipeline(), 2)
        features = FeatureDataset(loaded, family, AugmentationPipeline(), 2, half_steps=True)
        assert len(plain) == 24
        assert len(features) == 28  # the sound of two and a half seconds has three chunks, and two between them
        assert torch.equal(features[5], plain[5])
        first = [item for item in range(len(features)) if features.offset[item] == 0.5]
        assert len(first) == 2  # one in each variant
        number = int(features.owner[first[0]])
        assert features.total[first[0]] == pytest.approx(loaded[number].samples / 48_000)
        audio = torch.from_numpy(loaded[number].read(24_000, 48_000))[None, None]
        torch.testing.assert_close(features[first[0]], family.features(audio)[0], rtol=0, atol=4e-3)
        for item, previous in enumerate(features.previous):
            assert (previous < 0) == (features.offset[item] == 0)
            if previous >= 0:
                assert features.owner[previous] == features.owner[item]
                assert features.offset[previous] == features.offset[item] - 0.5
                assert (previous >= 24) != (item >= 24)  # a chunk lies before each window between, and the other way

    def test_those_of_a_long_sound_are_in_memory_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("distill.training.dataset.BLOCK_CHUNKS", 2)
        monkeypatch.setattr(
            MelVAEFamily, "features", lambda self, waves: waves[:, :, :1, None].expand(-1, 1, 1024, 256)
        )
        write_wav(tmp_path / "long.wav", np.concatenate([tone(number) for number in range(12)]))
        [sound] = prepare_sounds([tmp_path / "long.wav"], SoundCache()).sounds
        features = FeatureDataset([sound], MelVAEFamily(TrainingConfig()), half_steps=True)
        tracemalloc.start()
        features.prepare()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(features) == 19
        assert most < 1.5 * len(features) * 1024 * 256 * 2
        for item, start in ((0, 0), (9, 9 * RATE), (10, RATE // 2), (18, 8 * RATE + RATE // 2)):
            assert float(features[item][0, 5, 5]) == pytest.approx(float(sound.read(start, 1)[0]), abs=1e-3)

    def test_progress_and_batches(self, sounds: list[Path]) -> None:
        features = FeatureDataset(prepare_sounds(sounds, SoundCache()).sounds, MelVAEFamily(TrainingConfig()))
        seen: list[tuple[int, int]] = []
        features.prepare(lambda done, total: seen.append((done, total)))
        assert seen == [(n + 1, 10) for n in range(10)]
        batches = list(features.batches([3, 1, 2, 0, 5], 2))
        assert [len(b) for b in batches] == [2, 2, 1]
        assert torch.equal(batches[1][0], features[2])
