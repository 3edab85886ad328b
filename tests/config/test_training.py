"""Settings: nothing out of range gets in, and everything gets through JSON."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from distill.config.factory import config_from_dict, make_config
from distill.config.family_catalog import FAMILIES, family_info
from distill.config.presets_by_file_count import apply_preset, preset_for
from distill.config.preview_epochs import has_previews
from distill.config.training import ComplexSpectrogramConfig, RunConfig
from distill.errors import ConfigurationError
from distill.training import (
    OverfittingPreset,
    RegularizationConfig,
    TrainingConfig,
    VQVAEConfig,
    get_adaptive_config,
    get_effective_preview_interval,
)

CONFIG_TYPES: list[Any] = [*dict.fromkeys(row.config_type for row in FAMILIES), RegularizationConfig]


def ranged() -> list[Any]:
    """Each field that has a range, of each configuration."""
    return [
        pytest.param(kind, item, id=f"{kind.__name__}.{item.name}")
        for kind in CONFIG_TYPES
        for item in fields(kind)
        if item.metadata.get("low") is not None
    ]


@pytest.mark.parametrize(("kind", "item"), ranged())
def test_every_field_refuses_what_is_out_of_its_range(kind: Any, item: Any) -> None:
    low, high = item.metadata["low"], item.metadata["high"]
    whole = item.metadata["whole"]
    below, above = (low - 1, high + 1) if whole else (low - 1e-6 - abs(low) * 0.01, high * 1.01 + 1e-6)
    wrong: list[Any] = [below, above, float("nan"), float("inf"), "many", True, [1]]
    if item.default is not None:  # None is what asks for the family's own default
        wrong.append(None)
    if whole:
        wrong.append(low + 0.5)
    for value in wrong:
        with pytest.raises(ConfigurationError, match=rf"^{item.name} must be .*from .* to ") as caught:
            kind(**{item.name: value})
        assert isinstance(caught.value, ValueError)
    for value in (low, high):
        assert getattr(kind(**{item.name: int(value) if whole else float(value)}), item.name) == value


@pytest.mark.parametrize("kind", CONFIG_TYPES)
def test_every_setting_can_be_shown(kind: Any) -> None:
    for item in fields(kind):
        if item.name not in ("regularization", "complex_spectrogram"):
            assert item.metadata["label"]
            assert item.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"precision": "float16"}, "precision must be one of auto, float32, bfloat16"),
        ({"preset": "wild"}, "preset must be one of conservative, balanced, aggressive"),
        ({"num_threads": "all"}, "num_threads must be auto or a whole number from 1 to 1024"),
        ({"num_threads": 0}, "num_threads must be auto or"),
        ({"device": 3}, "device must be text"),
        ({"family": "gan"}, "family must be one of"),
        ({"regularization": 5}, "regularization"),
        ({"regularization": {"dropout": 0.1}}, "regularization"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483648"),
    ],
)
def test_what_is_no_range_is_refused_too(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        TrainingConfig(**change)
    with pytest.raises(ConfigurationError, match=words):
        replace(TrainingConfig(), **change)


@pytest.mark.parametrize(
    ("files", "preset"),
    [
        (1, "conservative"),
        (49, "conservative"),
        (50, "balanced"),
        (199, "balanced"),
        (200, "aggressive"),
        (500, "aggressive"),
    ],
)
def test_presets_by_number_of_files(files: int, preset: str) -> None:
    assert preset_for(files) == OverfittingPreset(preset)
    config = get_adaptive_config(files)
    assert config.preset == preset
    plain = apply_preset(TrainingConfig(), OverfittingPreset(preset))
    assert isinstance(plain, TrainingConfig)
    assert replace(config, latent_dim=plain.latent_dim, kl_weight_max=plain.kl_weight_max) == plain


@pytest.mark.parametrize("family", ["vae", "complex_vae"])
def test_more_latents_are_pulled_as_much_together(family: str) -> None:
    plain, chosen = TrainingConfig(), family_info(family).adaptive_config(100)
    assert isinstance(chosen, TrainingConfig)
    assert chosen.latent_dim > plain.latent_dim
    assert chosen.latent_dim * chosen.kl_weight_max == pytest.approx(plain.latent_dim * plain.kl_weight_max)


def test_fewer_sounds_are_guarded_more_strictly() -> None:
    few, some, many = (get_adaptive_config(n).regularization for n in (10, 100, 400))
    assert few.dropout > some.dropout > many.dropout
    assert few.augmentation_expansion > some.augmentation_expansion > many.augmentation_expansion
    assert few.weight_decay >= some.weight_decay >= many.weight_decay


@pytest.mark.parametrize("files", [0, -3])
def test_no_files_have_no_preset(files: int) -> None:
    with pytest.raises(ConfigurationError, match="file_count"):
        get_adaptive_config(files)


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: row.key)
def test_the_way_through_json(row: Any) -> None:
    config = replace(row.adaptive_config(120), max_epochs=7, num_threads=3, learning_rate=1 / 3, precision="bfloat16")
    text = json.dumps(config.to_dict(), allow_nan=False)
    again = config_from_dict(json.loads(text))
    assert again == config
    assert type(again) is row.config_type
    assert isinstance(again.preset, OverfittingPreset)
    assert isinstance(again.regularization, RegularizationConfig)


def test_unknown_keys_are_ignored_and_missing_ones_take_their_default() -> None:
    assert config_from_dict({"family": "vae", "from the future": 1}) == TrainingConfig()
    assert config_from_dict({"family": "vae", "regularization": {"dropout": 0.5}}).regularization == replace(
        RegularizationConfig(), dropout=0.5
    )


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"family": "gan"}, {"family": "vae", "latent_dim": "x"}, {"family": "vae", "regularization": 3}],
)
def test_a_dict_that_is_no_configuration_is_refused(data: Any) -> None:
    with pytest.raises(ConfigurationError):
        config_from_dict(data)


@pytest.mark.parametrize(("epochs", "interval"), [(1, 3), (49, 3), (50, 7), (500, 7)])
def test_short_runs_get_previews_more_often(epochs: int, interval: int) -> None:
    config = TrainingConfig(max_epochs=epochs, preview_interval=7, preview_interval_short=3)
    assert get_effective_preview_interval(config) == interval


def test_long_runs_also_have_early_previews() -> None:
    def people_count(config: TrainingConfig) -> list[int]:
        return [epoch + 1 for epoch in range(config.max_epochs) if has_previews(config, epoch)]

    assert people_count(TrainingConfig(max_epochs=90)) == [1, 2, 5, 10, 21, 41, 61, 81, 90]
    assert people_count(TrainingConfig(max_epochs=49)) == [*range(1, 49, 5), 49]  # short: by the interval alone
    assert people_count(TrainingConfig(max_epochs=50, preview_interval=1)) == list(range(1, 51))


def test_longer_runs_also_have_previews_where_the_loss_has_fallen_by_a_tenth() -> None:
    losses = [1.0] * 10 + [0.95, 0.89, 0.85, 0.8, 0.79, 0.78, 0.77, 0.76, 0.75, 0.9]

    def people_count(config: TrainingConfig) -> list[int]:
        return [n + 1 for n in range(len(losses)) if has_previews(config, n, losses[: n + 1])]

    assert people_count(TrainingConfig(max_epochs=100)) == [1, 2, 5, 10, 12, 14]
    assert people_count(TrainingConfig(max_epochs=40)) == [1, 6, 11, 16]  # short: by the interval alone
    # What is not known yet, and a loss that is no number, change nothing.
    assert has_previews(TrainingConfig(max_epochs=100), 11, [1.0, float("nan"), *losses[2:]])


def test_the_recipe() -> None:
    config = make_config("vae", 300, max_epochs=9, seed=4)
    assert (config.preset, config.max_epochs, config.seed) == ("aggressive", 9, 4)
    fixed = make_config("vae", 300, preset="conservative")
    assert fixed.regularization == get_adaptive_config(10).regularization
    for wrong in ({"family": "gan"}, {"preset": "wild"}, {"max_epochs": 0}, {"batch_size": 0}):
        with pytest.raises(ConfigurationError):
            make_config(**({"family": "vae", "file_count": 9} | wrong))  # type: ignore[arg-type]


def test_all_families_share_the_settings_of_a_run() -> None:
    for row in FAMILIES:
        assert issubclass(row.config_type, RunConfig)
        assert row.adaptive_config(10).family == row.key
        assert isinstance(row.adaptive_config(10), row.config_type)


def test_each_variational_family_has_its_own_number_of_latents() -> None:
    assert TrainingConfig().latent_dim == 64
    assert TrainingConfig(family="complex_vae").latent_dim == 128
    assert TrainingConfig(family="complex_vae", latent_dim=9).latent_dim == 9


def test_a_complex_configuration_comes_back_whole() -> None:
    config = TrainingConfig(
        family="complex_vae", frequency_weight=0.1, complex_spectrogram=ComplexSpectrogramConfig(n_mels=64)
    )
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ConfigurationError, match="complex_spectrogram"):
        TrainingConfig(complex_spectrogram={"n_mels": 64})  # type: ignore[arg-type]


class TestAssignment:
    def test_a_value_is_checked_as_when_the_configuration_is_built(self) -> None:
        config = TrainingConfig()
        config.max_epochs = 10
        config.regularization.dropout = 0.5
        assert (config.max_epochs, config.regularization.dropout) == (10, 0.5)
        for name, value in (("max_epochs", 0), ("device", "banana"), ("preset", "wild"), ("regularization", 3)):
            before = config.to_dict()
            with pytest.raises(ConfigurationError, match=f"^{name} must be"):
                setattr(config, name, value)
            assert config.to_dict() == before
        with pytest.raises(AttributeError, match="no setting 'epochs'"):
            config.epochs = 3

    def test_what_belongs_together_stays_together(self) -> None:
        config = VQVAEConfig()
        config.dropout = 0.4
        assert config.regularization.dropout == 0.4
        geometry = ComplexSpectrogramConfig()
        geometry.n_fft = 1024
        assert geometry.geometry().n_fft == 1024

    def test_configurations_share_nothing(self) -> None:
        one, other = get_adaptive_config(6), get_adaptive_config(6)
        one.regularization.dropout = 0.77
        assert other.regularization.dropout != 0.77
        copy = replace(one)
        one.regularization.dropout = 0.66
        one.complex_spectrogram.n_mels = 64
        assert (copy.regularization.dropout, copy.complex_spectrogram.n_mels) == (0.77, 128)

    def test_reading_like_a_mapping(self) -> None:
        config = TrainingConfig(max_epochs=3)
        assert dict(config) == dict(config.items())
        assert (config["max_epochs"], config.get("no such", 7), "seed" in config) == (3, 7, True)
        with pytest.raises(KeyError):
            config["no such"]


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "mps"])
def test_devices(device: str) -> None:
    assert TrainingConfig(device=device).device == device
    for wrong in ("", "banana", "cuda:x", "gpu", f"{device}!"):
        with pytest.raises(ConfigurationError, match="device must be auto, cpu, cuda, cuda:1, mps; not "):
            TrainingConfig(device=wrong)


def test_no_augmentation() -> None:
    assert RegularizationConfig(augmentation_expansion=0).augmentation_expansion == 0
