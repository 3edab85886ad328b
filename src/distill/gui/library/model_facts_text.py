"""What is said of a model in words: family, sounds, epoch, loss, building blocks in use, file."""

from PySide6.QtCore import QCoreApplication

from distill.config.family_catalog import FAMILIES, family_info
from distill.errors import ConfigurationError
from distill.gui.widgets.formatting import count_of, format_bytes, format_date, format_seconds
from distill.gui.widgets.plain_text import plain_tip
from distill.library.model_entry import ModelEntry

translate = QCoreApplication.translate


def row_facts(entry: ModelEntry) -> tuple[tuple[str, ...], ...]:
    """Return three lines of facts, the most important first in each; for an unusable model the reason.

    The loss stands beside the family: those of different families measure different things.
    """
    if entry.problem is not None:
        return (translate("ModelTable", "Cannot be used"),), (entry.problem,), ()
    facts = entry.facts
    sounds = count_of(facts.sounds, translate("ModelTable", "1 sound"), translate("ModelTable", "{0} sounds"))
    epoch = translate("ModelTable", "epoch {0}").format(facts.epochs) if facts.epochs else ""
    loss = "" if facts.val_loss is None else translate("ModelTable", "loss {0:.4g}").format(facts.val_loss)
    blocks = ""
    if facts.codebook is not None and "utilization" in facts.codebook:
        blocks = translate("ModelTable", "{0:.0%} of blocks used").format(facts.codebook["utilization"])
    return (family_label(entry), loss), (sounds, epoch), (format_date(facts.saved), blocks)


def model_tip(entry: ModelEntry) -> str:
    """Return what is said of a model in the list under the pointer."""
    facts = [" · ".join(filter(None, line)) for line in row_facts(entry)]
    lines = [entry.shown_name, ", ".join(entry.tags), *facts]
    if entry.problem is None:
        lines.append(
            translate("ModelTable", "The curve is the loss on held-out sounds. The model is from its lowest point.")
        )
        if entry.facts.epochs:
            text = translate(
                "ModelTable", "That is epoch {0}. The run may have trained on after it: Runs shows how far."
            )
            lines.append(text.format(entry.facts.epochs))
    return plain_tip(*lines, entry.path.name)


def spoken_text(entry: ModelEntry, is_new: bool) -> str:
    """Return what a screen reader says of a model in the list; ``is_new`` where it was not viewed yet."""
    words = [entry.shown_name]
    if entry.starred:
        words.append(translate("ModelTable", "starred"))
    if is_new:
        words.append(translate("ModelTable", "new"))
    return ", ".join([*words, *(fact for line in row_facts(entry) for fact in line if fact), *entry.tags])


def facts_by_name(entry: ModelEntry) -> dict[str, str]:
    """Return what the page of a model says of it, by the names of its fields; empty for what is not known."""
    facts = entry.facts
    losses = []
    if facts.val_loss is not None:
        losses.append(translate("ModelDetail", "{0:.4g} on held-out sounds").format(facts.val_loss))
    if facts.train_loss is not None:
        losses.append(translate("ModelDetail", "{0:.4g} on training sounds").format(facts.train_loss))
    size = format_bytes(entry.file_bytes)
    return {
        "family": _family_text(entry),
        "trained": format_date(facts.trained or facts.saved),
        "sounds": _sounds_text(entry),
        "epochs": _epoch_text(facts.epochs),
        "loss": "\n".join(losses),
        "codebook": _codebook_text(entry),
        "file": translate("ModelDetail", "{0}, {1}, id {2}").format(entry.path.name, size, entry.model_id[:8] or "–"),
    }


def _family_text(entry: ModelEntry) -> str:
    """Return the family's label and its technical name."""
    name = family_label(entry)
    technical = next((family.label for family in FAMILIES if family.key == entry.family), "")
    return f"{name} ({technical})" if technical else name


def _sounds_text(entry: ModelEntry) -> str:
    facts = entry.facts
    if not facts.sounds:
        return ""
    count = count_of(facts.sounds, translate("ModelDetail", "1 sound"), translate("ModelDetail", "{0} sounds"))
    dataset = translate("ModelDetail", "{0} of “{1}”").format(count, facts.dataset) if facts.dataset else count
    return f"{dataset}, {format_seconds(facts.sounds_s)}" if facts.sounds_s else dataset


def _epoch_text(epoch: int) -> str:
    """Return which epoch the weights are from: the run may have trained more."""
    return (
        translate("ModelDetail", "{0}. The model has the weights of this epoch of its run.").format(epoch)
        if epoch
        else ""
    )


def _codebook_text(entry: ModelEntry) -> str:
    health = entry.facts.codebook
    if health is None:
        return ""
    return translate("ModelDetail", "{1:.0%} in use, in {0:.0f} levels (perplexity {2:.0f})").format(
        health["levels"], health.get("utilization", 0), health.get("perplexity", 0)
    )


def family_label(entry: ModelEntry) -> str:
    """Return the label of a family; for an unknown one its key."""
    try:
        return family_info(entry.family).plain_name
    except ConfigurationError:
        return entry.family
