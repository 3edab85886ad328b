"""Says in plain words which settings were damaged."""

from dataclasses import fields

from PySide6.QtCore import QCoreApplication

from distill.settings import WindowSettings


def damage_text(settings: WindowSettings) -> str:
    """Return what to tell the user of settings that took their defaults because they could not be read, or ""."""
    if not settings.damaged:
        return ""
    if len(settings.damaged) == len(fields(settings)) - 1:
        return _tr("The settings are damaged and take their defaults. Your sounds, runs and models are untouched.")
    names = dict.fromkeys(_plain_name(name) for name in settings.damaged)  # each once
    return _tr("Some settings are damaged and take their defaults: {0}.").format(", ".join(names))


def _plain_name(field: str) -> str:
    names = {
        "sounds": _tr("list of sounds"),
        "recent": _tr("recent folders"),
        "excluded": _tr("excluded sounds"),
        "removed": _tr("removed sounds"),
        "fixes": _tr("fixes of sounds"),
        "sound_columns": _tr("columns of the list"),
        "sound_list": _tr("columns of the list"),
        "hears_walking": _tr("playing with the arrow keys"),
        "run": _tr("shown run"),
        "family": _tr("model family"),
        "preset": _tr("preset"),
        "epochs": _tr("epochs"),
        "epoch_seconds": _tr("measured times"),
        "advanced": _tr("advanced settings"),
        "making": _tr("settings for new sounds"),
        "instrument": _tr("ports and modes of the instrument"),
        "play_folder": _tr("folder of saved sounds and kits"),
        "played_model": _tr("model that was played last"),
        "model_info": _tr("shown details of models"),
        "looks_for_updates": _tr("search for updates"),
        "appearance": _tr("appearance"),
        "plots": _tr("shown curves"),
        "volume": _tr("volume"),
        "output_device": _tr("output device"),
        "output_host_api": _tr("output device"),
    }
    return names.get(field, _tr("layout of the window"))


def _tr(text: str) -> str:
    return QCoreApplication.translate("Settings", text)
