"""Says in plain words which settings were damaged."""

from dataclasses import fields

from PySide6.QtCore import QCoreApplication

from distill.settings import WindowSettings

translate = QCoreApplication.translate


def damage_text(settings: WindowSettings) -> str:
    """Return what to tell the user of settings that took their defaults because they could not be read, or ""."""
    if not settings.damaged:
        return ""
    if len(settings.damaged) == len(fields(settings)) - 1:
        return translate(
            "Settings", "The settings are damaged and take their defaults. Your sounds, runs and models are untouched."
        )
    names = dict.fromkeys(_plain_name(name) for name in settings.damaged)  # each once
    return translate("Settings", "Some settings are damaged and take their defaults: {0}.").format(", ".join(names))


def _plain_name(field: str) -> str:
    names = {
        "sounds": translate("Settings", "list of sounds"),
        "recent": translate("Settings", "recent folders"),
        "excluded": translate("Settings", "excluded sounds"),
        "removed": translate("Settings", "removed sounds"),
        "fixes": translate("Settings", "fixes of sounds"),
        "sound_columns": translate("Settings", "columns of the list"),
        "sound_list": translate("Settings", "columns of the list"),
        "hears_walking": translate("Settings", "playing with the arrow keys"),
        "run": translate("Settings", "shown run"),
        "family": translate("Settings", "model family"),
        "preset": translate("Settings", "preset"),
        "epochs": translate("Settings", "epochs"),
        "epoch_seconds": translate("Settings", "measured times"),
        "advanced": translate("Settings", "advanced settings"),
        "making": translate("Settings", "settings for new sounds"),
        "instrument": translate("Settings", "ports and modes of the instrument"),
        "play_folder": translate("Settings", "folder of saved sounds and kits"),
        "played_model": translate("Settings", "model that was played last"),
        "model_info": translate("Settings", "shown details of models"),
        "looks_for_updates": translate("Settings", "search for updates"),
        "appearance": translate("Settings", "appearance"),
        "plots": translate("Settings", "shown curves"),
        "volume": translate("Settings", "volume"),
        "output_device": translate("Settings", "output device"),
        "output_host_api": translate("Settings", "output device"),
    }
    return names.get(field, translate("Settings", "layout of the window"))
