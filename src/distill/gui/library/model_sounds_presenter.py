"""Plays the sounds of the chosen model, and generates one where it has none."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from distill.generation.audition_samples import (
    AuditionKind,
    AuditionSample,
    AuditionSamples,
    find_samples,
    make_sample,
    tidy_samples,
)
from distill.gui.background_tasks import BackgroundTask
from distill.gui.library.page import ModelsPage
from distill.gui.widgets.notices import NoticeBar
from distill.library.model_entry import ModelEntry

#: Topic of the notices about it.
TOPIC = "model sound"


class ModelSoundsPresenter(QObject):
    """Fills the list of sounds of the chosen model, and plays from it."""

    def __init__(self, page: ModelsPage, play: Callable[[Path], None], notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._page, self._play, self._notices = page, play, notices
        self._finding_samples: BackgroundTask | None = None
        self._making_sample: BackgroundTask | None = None
        self._model_to_hear: Path | None = None  # the model to play as soon as its sounds are known
        page.detail.sample_requested.connect(self._make_sample)

    def hear(self) -> None:
        """Play the first sound of the chosen model; generate one if it has none."""
        entry = self._page.list.current()
        if entry is None or entry.problem is not None:
            return
        rows = self._page.detail.model_sounds.rows
        if rows:
            rows[0].click()
        elif self._finding_samples is not None:
            self._model_to_hear = entry.path
        elif self._page.detail.make_sample.isVisibleTo(self._page):
            self._make_sample(entry)

    def look_for_sounds(self, entry: ModelEntry | None) -> None:
        """Look for the sounds of another model, and show them."""
        if self._finding_samples is not None:
            self._finding_samples.cancel()
            self._finding_samples = None
        self._model_to_hear = None
        self._page.detail.model_sounds.show_samples(())
        self._page.detail.make_sample.hide()
        if entry is None:
            return
        self._finding_samples = BackgroundTask(lambda _notify, _cancel: find_samples(entry), self)
        self._finding_samples.succeeded.connect(self._on_samples)
        self._finding_samples.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        self._finding_samples.ended.connect(lambda: self._on_finding_samples_ended(entry))
        self._finding_samples.start()

    def tidy(self, models: Sequence[ModelEntry]) -> None:
        """Delete, in the background, the generated sounds of models that are not among these."""
        task = BackgroundTask(lambda _notify, _cancel: tidy_samples(models), self)
        task.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        task.start()

    def _on_finding_samples_ended(self, entry: ModelEntry) -> None:
        if self._finding_samples is not None:  # it has failed
            self._on_samples(AuditionSamples(entry, (), False))

    def _on_samples(self, samples: AuditionSamples) -> None:
        self._finding_samples = None
        no_samples_text = ""
        if not samples.sounds and not samples.can_make:
            no_samples_text = self.tr("Models of this family generate no new sounds. Transform a sound to hear it.")
        self._page.detail.model_sounds.show_samples(samples.sounds, no_samples_text)
        is_making_sample = self._making_sample is not None
        self._page.detail.make_sample.setVisible(samples.can_make and not samples.sounds)
        self._page.detail.make_sample.setEnabled(not is_making_sample)
        if self._model_to_hear == samples.entry.path:
            self._model_to_hear = None
            self.hear()

    def _make_sample(self, entry: ModelEntry) -> None:
        """Generate a sound with a model in the background, and play it."""
        if self._making_sample is not None:
            return
        self._page.detail.make_sample.setEnabled(False)
        self._page.detail.model_sounds.show_samples((), self.tr("Generating a sound…"))
        models = (entry, *self._page.list.table.items)

        def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> Path:
            path = make_sample(entry)
            tidy_samples(models)
            return path

        self._making_sample = BackgroundTask(work, self)
        self._making_sample.succeeded.connect(lambda path: self._on_sample_made(entry, path))
        self._making_sample.failed.connect(self._on_sample_failed)
        self._making_sample.ended.connect(lambda: self._on_making_sample_ended(entry))
        self._making_sample.start()

    def _on_sample_made(self, entry: ModelEntry, path: Path) -> None:
        self._making_sample = None
        if self._is_chosen(entry):
            self._on_samples(AuditionSamples(entry, (AuditionSample(AuditionKind.NEW, 0, path),), can_make=True))
            self._play(path)
        else:
            self._page.detail.make_sample.setEnabled(True)

    def _on_sample_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error, self.tr("The model generated no sound: {0}"))

    def _on_making_sample_ended(self, entry: ModelEntry) -> None:
        if self._making_sample is None:
            return
        self._making_sample = None  # it has failed
        self._page.detail.make_sample.setEnabled(True)
        if self._is_chosen(entry):
            self._page.detail.model_sounds.show_samples(())

    def _is_chosen(self, entry: ModelEntry) -> bool:
        current = self._page.list.current()
        return current is not None and current.path == entry.path
