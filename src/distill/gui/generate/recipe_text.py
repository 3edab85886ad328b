"""What is said of how a sound was generated: its recipe in a few words, and in full."""

from PySide6.QtCore import QCoreApplication

from distill.generation.history.sound_history import ListedSound
from distill.generation.recipe import (
    ALONG,
    EXTENDED,
    MAPPED,
    MORPHED,
    NEW,
    REPAINTED,
    TRAINED,
    TRANSFORMED,
    VARIED,
    Recipe,
)
from distill.gui.widgets.formatting import count_of, format_date, format_length

translate = QCoreApplication.translate


def sound_facts(sound: ListedSound, model_name: str) -> list[str]:
    """Return what a row says of a generated sound: its length, how it was generated, with which model, and when."""
    recipe = sound.recipe
    how = {
        NEW: translate("HistoryModel", "new, seed {0}").format(recipe.seed),
        TRANSFORMED: translate("HistoryModel", "transformed, {0} % wet").format(round(100 * recipe.dry_wet)),
        VARIED: translate("HistoryModel", "varied, strength {0:.2f}").format(recipe.strength),
        MORPHED: translate("HistoryModel", "morph, step {0} of {1}").format(recipe.number + 1, recipe.count),
        EXTENDED: translate("HistoryModel", "extended by {0:g} s").format(recipe.seconds),
        REPAINTED: translate("HistoryModel", "repainted, {0:g} to {1:g} s").format(recipe.start, recipe.end),
        MAPPED: translate("HistoryModel", "from the map, sliders moved")
        if recipe.moves
        else translate("HistoryModel", "from the map"),
        ALONG: translate("HistoryModel", "along a path on the map"),
    }.get(recipe.kind, translate("HistoryModel", "copy"))
    if recipe.candidates:
        stars = count_of(
            recipe.stars, translate("HistoryModel", "follows 1 star"), translate("HistoryModel", "follows {0} stars")
        )
        how = translate("HistoryModel", "{0}, seed {1}").format(stars, recipe.seed)
    length = translate("HistoryModel", "file is gone") if sound.seconds is None else format_length(sound.seconds)
    return [length, how, model_name or recipe.model_id[:8], format_date(recipe.made)]


def recipe_lines(recipe: Recipe, model_name: str) -> list[str]:
    """Return how a sound was generated, with all that it takes to generate it again, in lines."""
    model = translate("HistoryModel", "Model: {0}").format(model_name or recipe.model_id)
    if recipe.kind == NEW:
        draw = translate("HistoryModel", "Seed {0}, number {1} of {2}, temperature {3:.2f}")
        lines = [model, draw.format(recipe.seed, recipe.number + 1, recipe.count, recipe.temperature)]
        if recipe.seconds:
            lines.append(translate("HistoryModel", "Length: {0:g} s, as requested").format(recipe.seconds))
        if recipe.freedom != TRAINED:
            lines.append(
                translate("HistoryModel", "Freedom: {0:.2f} (0 is closest to the training sounds)").format(
                    recipe.freedom
                )
            )
        if recipe.candidates:
            stars = count_of(
                recipe.stars,
                translate("HistoryModel", "1 starred sound"),
                translate("HistoryModel", "{0} starred sounds"),
            )
            lines.append(translate("HistoryModel", "Chosen from {0}, by {1}").format(recipe.candidates, stars))
        return lines
    if recipe.kind == MAPPED:
        position = translate("HistoryModel", "Position on the map: {0:.3f}, {1:.3f}").format(*recipe.positions[0])
        return [model, position, *(f"{name} {amount:+.2f}" for name, amount in recipe.moves)]
    if recipe.kind == ALONG:
        return [model, translate("HistoryModel", "Along a path on the map, {0:g} s").format(recipe.seconds)]
    lines = [model, translate("HistoryModel", "From: {0}").format(recipe.source)]
    if recipe.kind == TRANSFORMED:
        lines.append(translate("HistoryModel", "{0} % wet").format(round(100 * recipe.dry_wet)))
    return lines
