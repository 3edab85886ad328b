"""Settings one by one: shown, typed, checked and put together again, for every family."""

import contextlib
from typing import Any

import pytest

from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.config.presets_by_file_count import apply_preset, preset_for
from distill.config.setting_fields import (
    SettingField,
    changed_settings,
    setting_fields,
    setting_value,
    with_settings,
)
from distill.config.training import RegularizationConfig, RunConfig, VQVAEConfig
from distill.errors import ConfigurationError


def config_of(row: Any) -> Any:
    return row.adaptive_config(30)


def named(config: Any, name: str) -> SettingField:
    return next(f for f in setting_fields(config) if f.name == name)


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: row.key)
def test_every_setting_can_be_typed_and_put_back(row: Any) -> None:
    config = config_of(row)
    found = setting_fields(config)
    assert len({f.name for f in found}) == len(found)
    assert any(f.group == "regularization" for f in found)
    assert {f.name for f in found if f.owner is RunConfig} >= {"batch_size", "learning_rate", "seed", "device"}
    for field in found:
        assert field.label
        assert field.help
        value = setting_value(config, field.name)
        field.check(value)
        if not isinstance(value, bool):
            assert field.parse(field.text(value)) == value
        assert with_settings(config, {field.name: value}) == config


def _changed(config: Any, field: SettingField) -> tuple[Any, float]:
    """Return the configuration with another value, and that value: an end of the range that suits the others."""
    assert field.low is not None
    assert field.high is not None
    for other in (field.low, field.high, (field.low + field.high) // 2):
        with contextlib.suppress(ConfigurationError):  # a hop that is longer than its window, for instance
            if other != setting_value(config, field.name):
                value = int(other) if field.whole else float(other)
                return with_settings(config, {field.name: value}), value
    raise AssertionError(f"{field.name} takes no other value")


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: row.key)
def test_every_changed_setting_arrives_in_the_configuration_and_its_record(row: Any) -> None:
    """No setting that is shown is without effect on what is trained and recorded."""
    config = config_of(row)
    for field in setting_fields(config):
        if field.low is None or field.high is None:
            continue
        changed, other = _changed(config, field)
        assert setting_value(changed, field.name) == other
        assert changed_settings(config, {field.name: other}) == {field.name: other}
        assert changed_settings(changed, {field.name: other}) == {}
        stored = changed.to_dict()
        for part in field.name.split("."):
            stored = stored[part]
        assert stored == other


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("batch_size", "0", "Batch size must be a whole number from 1 to 4096, not 0"),
        ("batch_size", "many", "Batch size must be a whole number from 1 to 4096, not 'many'"),
        ("batch_size", "2.5", "Batch size must be a whole number"),
        ("batch_size", "1,000", "Batch size must be a whole number from 1 to 4096, not '1,000'"),  # was taken for 1
        ("checkpoint_interval", "20.000", "Checkpoint every must be a whole number from 1 to 100000, not '20.000'"),
        ("learning_rate", "2", "Learning rate must be a number from 1e-07 to 1, not 2"),
        ("learning_rate", "nan", "Learning rate must be"),
        ("learning_rate", "", "Learning rate must be"),
        ("num_threads", "some", "Threads must be auto or a whole number"),
        ("precision", "float16", "Precision must be one of"),
        ("regularization.weight_decay", "-1", "Weight decay must be a number from 0 to 1, not -1"),
    ],
)
def test_what_cannot_be_is_refused_by_its_label(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        named(config_of(FAMILIES[0]), name).parse(text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("batch_size", " 8 ", 8),
        ("batch_size", "1e2", 100),
        ("learning_rate", "0,002", 0.002),
        ("learning_rate", "3e-4", 3e-4),
        ("num_threads", "auto", "auto"),
        ("num_threads", "2", 2),
    ],
)
def test_what_people_type(name: str, text: str, value: Any) -> None:
    parsed = named(config_of(FAMILIES[0]), name).parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_the_recipe_takes_settings_inside_of_settings() -> None:
    changes: dict[str, Any] = {"regularization.weight_decay": 0.25, "batch_size": 3}
    config = make_config("vae", 30, **changes)
    assert config.regularization.weight_decay == 0.25
    assert config.regularization.augmentation_expansion == 8  # the preset's
    assert config.batch_size == 3
    for wrong in ("no_such", "regularization.no_such", "seed.no_such"):
        with pytest.raises(ConfigurationError, match="There is no setting"):
            make_config("vae", 30, **{wrong: 1})  # type: ignore[arg-type]


def test_one_dropout_under_two_names() -> None:
    shown = [f.name for f in setting_fields(VQVAEConfig()) if f.name.endswith("dropout")]
    assert shown == ["dropout"]
    changed = with_settings(make_config("vqvae", 30), {"dropout": 0.35})
    assert isinstance(changed, VQVAEConfig)
    assert (changed.dropout, changed.regularization.dropout) == (0.35, 0.35)
    assert VQVAEConfig(regularization=RegularizationConfig(dropout=0.5)).regularization.dropout == 0.1
    preset = apply_preset(VQVAEConfig(), preset_for(5))
    assert isinstance(preset, VQVAEConfig)
    assert preset.dropout == preset.regularization.dropout == 0.2


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(ConfigurationError, match="kmeans_init must be on or off"):
        VQVAEConfig(kmeans_init=1)  # type: ignore[arg-type]
