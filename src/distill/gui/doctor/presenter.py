"""Examines the listed sounds in the background, shows what it finds, and fixes it when the user wants that."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from distill.audio.cache.sound_cache import SoundCache
from distill.errors import Cancelled, SoundError
from distill.gui.background_tasks import BackgroundTask
from distill.gui.doctor.panel import DoctorPanel, doctor_button_text
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.sounds.sound_row import SoundStatus
from distill.gui.window_part import WindowPart
from distill.training.data.doctor.findings import Finding, examine, merged_fixes

#: Sounds are examined once nothing has changed for this long.
SETTLED_MILLISECONDS = 400


class DoctorPresenter(QObject, WindowPart):
    """Keeps the findings at the sounds that are listed and decoded, and carries out fixes."""

    play_requested = Signal(object)  # Path

    def __init__(self, panel: DoctorPanel, browser: SoundsPanel, sounds: SoundsPresenter, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._browser, self._sounds = panel, browser, sounds
        self._findings: tuple[Finding, ...] | None = None  # None while the sounds are not examined
        self._examining: BackgroundTask | None = None
        self._examined_sounds: tuple[tuple[Path, str], ...] | None = None  # what the findings are of, or will be
        self._settle_timer = QTimer(self, interval=SETTLED_MILLISECONDS, singleShot=True)
        self._settle_timer.timeout.connect(self._examine)
        browser.table.dataChanged.connect(self._on_sounds_changed)
        browser.table.modelReset.connect(self._on_listed)
        sounds.exclusions.changed.connect(self._show_state)
        sounds.scanner.failed.connect(self._on_unreadable)
        panel.play_requested.connect(self.play_requested)
        panel.fix_requested.connect(self._on_fix_requested)
        panel.fix_all_requested.connect(self._on_fix_all_requested)

    def is_fixed(self, finding: Finding) -> bool:
        """Whether the fix of a finding is chosen for the next training."""
        return self._sounds.exclusions.has_fixes(finding.fixes)

    def close(self) -> None:
        """Stop examining."""
        self._settle_timer.stop()
        self._cancel()

    def _on_listed(self) -> None:
        if self._is_outdated():
            self._forget()
            self._settle_timer.start()

    def _on_sounds_changed(self) -> None:
        if self._is_outdated():
            if self._examined_sounds is not None:  # otherwise it is said already why there are no findings
                self._forget()
            self._settle_timer.start()

    def _is_outdated(self) -> bool:
        return self._has_undecoded() or self._sounds_to_examine() != self._examined_sounds

    def _has_undecoded(self) -> bool:
        return any(row.status is SoundStatus.LISTED for row in self._browser.table.rows)

    def _forget(self) -> None:
        """Drop the findings, and the search for them: the sounds are others now."""
        self._cancel()
        self._findings = self._examined_sounds = None
        self._panel.show_findings((), self.is_fixed)
        text = self.tr("Checking the sounds…")
        self._panel.show_message(text)
        self._browser.show_doctor(text, 0)

    def _on_unreadable(self, _error: Exception) -> None:
        if self._has_undecoded():
            self._panel.show_message(self.tr("The sounds could not be read, so they were not checked."))
            self._browser.show_doctor(self.tr("Not checked"), 0)

    def _sounds_to_examine(self) -> tuple[tuple[Path, str], ...]:
        """Return the sounds to examine: all that are decoded, also those that a fix leaves out."""
        rows, left_out_by_fix = self._browser.table.rows, self._sounds.exclusions.left_out
        return tuple(
            (row.path, row.content_hash)
            for row in rows
            if row.status is SoundStatus.READY and (row.is_usable or row.path in left_out_by_fix)
        )

    def _examine(self) -> None:
        """Examine the sounds once all of them are decoded."""
        if self._has_undecoded():
            return  # the next one that is decoded starts this again
        sounds = self._sounds_to_examine()
        if sounds == self._examined_sounds:
            return
        self._cancel()
        self._examined_sounds = sounds
        files = [path for path, _ in sounds]
        if not files:
            self._show([])
            return
        task = BackgroundTask(lambda progress, cancel: _examine(files, progress, cancel), self)
        task.setObjectName("doctor")
        task.succeeded.connect(self._show)
        task.progressed.connect(self._on_progress)
        task.ended.connect(self._on_ended)
        self._examining = task
        self._browser.show_doctor(self.tr("Checking the sounds…"), 0)
        task.start()

    def _cancel(self) -> None:
        if self._examining is not None:
            self._examining.cancel()
            self._examining = None

    def _on_progress(self, progress: tuple[int, int]) -> None:
        self._panel.show_message(self.tr("Checking {0} of {1} sounds…").format(*progress))

    def _on_ended(self) -> None:
        if self.sender() is self._examining:
            self._examining = None

    def _show(self, findings: Sequence[Finding]) -> None:
        self._findings = tuple(findings)
        self._panel.show_findings(self._findings, self.is_fixed)
        self._show_state()

    def _show_state(self) -> None:
        if self._findings is None:
            return
        self._panel.show_fixed(self.is_fixed)
        not_fixed = [finding for finding in self._findings if not finding.fixes or not self.is_fixed(finding)]
        pending = [finding for finding in not_fixed if finding.fixes or not finding.done_text]
        self._panel.show_message("" if self._findings else self.tr("Nothing is wrong with the sounds that are listed."))
        self._browser.show_doctor(doctor_button_text(len(pending), len(self._findings)), len(pending))

    def _on_fix_requested(self, finding: Finding, is_wanted: bool) -> None:
        self._sounds.exclusions.fix(finding.fixes, is_wanted, finding.title)

    def _on_fix_all_requested(self) -> None:
        fixes = merged_fixes(self._findings or ())
        self._sounds.exclusions.fix(fixes, True, self.tr("All Findings"))


def _examine(files: Sequence[Path], progress: Callable[[Any], None], cancel: threading.Event) -> list[Finding]:
    """Examine sounds that are decoded already; runs in the background."""
    cache, sounds = SoundCache(), []
    with suppress(Cancelled):
        for path in files:
            with suppress(SoundError):  # it was removed just now
                sounds.append(cache.get(path, cancel))
        return examine(sounds, lambda done, total: progress((done, total)), cancel)
    return []
