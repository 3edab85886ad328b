"""Carries out what the Play page requests: generating at positions, along paths, and for pads."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QPoint, QTimer, Signal

from distill.generation.map.map_chunks import Position, ShownMap
from distill.generation.map.map_session import MapSession
from distill.gui.background_tasks import TaskQueue, Work, end_tasks
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.play.export.presenter import ExportPresenter
from distill.gui.play.map_dot_menu import DotMenu
from distill.gui.play.midi_osc_presenter import MidiOscPresenter
from distill.gui.play.pads.pad_filling import PadFilling
from distill.gui.play.pads.pad_grid import COUNT
from distill.gui.play.pads.pad_undo import PadStep
from distill.gui.play.pads.stored_pads import PadKeeper
from distill.gui.play.page import PlayPage
from distill.gui.play.slider_gestures import Gesture, Gestures
from distill.gui.play.sound_verdicts import Verdicts, verdict_text, word_of
from distill.gui.play.waveform_reader import WaveReader
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.user_errors import error_text
from distill.gui.widgets.drag_and_drop import copy_files
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.library.model_library import ModelEntry
from distill.playback.player import PlayerState, PlayerStatus
from distill.settings import WindowSettings

#: Topic of the notices of this page.
TOPIC = "play"
#: Milliseconds without a move by a controller after which the sound at the point is generated, and without another
#: chosen sound after which cursor and sliders show the last one: a drum roll on the pads moves them once.
_POINT_SETTLED, _CHOICE_SETTLED = 150, 80


class PlayPresenter(QObject, WindowPart):
    """Opens the map of the chosen model when the page is seen, and generates one sound at a time.

    A request that comes while another one is computed waits; of several that wait the newest is carried out.
    """

    #: A sound from another page is taken over: the Play page is to be shown.
    page_requested = Signal()

    def __init__(
        self,
        engine: EngineSource,
        page: PlayPage,
        playing: PlayerPresenter,
        control: MidiOscPresenter,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self.page, self._player, self._notices = engine, page, playing, notices
        self._control, self._session = control, MapSession()
        self._verdicts = Verdicts(self._session, self)
        self.keeper = PadKeeper(page.pads, self._verdicts, self)
        self._filling = PadFilling(
            page.pads, self.keeper.changes, self._session, self._start, page.isVisible, notices, TOPIC, self
        )
        self._entry: ModelEntry | None = None
        #: File of the open model, and when it was changed: a run that goes on writes its model again.
        self._opened: tuple[Path, int] | None = None
        self._played_model = ""  # file of the model whose map was opened last, also in an earlier session
        self._has_failed = False  # it could not be opened
        self._is_opening = False
        #: The newest request that came while a map was to be opened: it needs that model.
        self._held_request: Callable[[], None] | None = None
        self._tasks = TaskQueue("play", self)
        self._tasks.idle.connect(self._on_idle)
        self.current: Path | None = None
        self._waves = WaveReader(page.sound.wave, self)
        self._morph_from: Path | None = None
        #: Sounds that the user has done something with: a movement of the sliders takes none of them away.
        self._used: set[Path] = set()
        self._gestures = Gestures(page.sliders, self)
        self._tidying, self._looking = TaskQueue("superseded sounds", self), TaskQueue("place", self)
        self._choosing = QTimer(self, singleShot=True, interval=_CHOICE_SETTLED)
        self._choosing.timeout.connect(self._look_for_place)
        self.exports = ExportPresenter(page, self._session, engine, notices, TOPIC, self)
        self._connect()

    def _connect(self) -> None:
        page, control, view = self.page, self._control, self.page.map
        page.appeared.connect(self.refresh)
        page.disappeared.connect(self._stand_still)  # nothing is generated for a move that came just before
        view.position_chosen.connect(lambda x, y: self.play_position((x, y)))
        view.dot_chosen.connect(self.play_dot)
        view.dot_hovered.connect(self._on_hovered)
        view.path_drawn.connect(self.play_path)
        view.menu_requested.connect(self._on_menu_requested)
        self._verdicts.found.connect(self._on_verdict_found)
        page.sliders.settled.connect(self.play_cursor)
        self._settling = QTimer(self, singleShot=True, interval=_POINT_SETTLED)
        self._settling.timeout.connect(self.play_cursor)
        control.point_moved.connect(self._on_point_moved)
        control.slider_moved.connect(page.sliders.show_move)
        page.sliders.moved.connect(control.send_slider)
        view.cursor_moved.connect(control.send_point)
        page.pads.pressed.connect(self._on_pad_pressed)
        control.pad_played.connect(self._on_pad_pressed)
        page.history.sound_chosen.connect(self._on_history_chosen)
        page.history.dragged.connect(lambda files: self._used.update(files))
        self._player.playback.status_changed.connect(self._on_status)
        page.pads.sound_requested.connect(self._on_pad_empty)
        page.pads.held.connect(self._on_pad_held)
        page.pads.held.connect(lambda _number, sound: self._used.add(sound))
        page.filling_requested.connect(self.fill_pads)
        page.stop_requested.connect(self._stop)
        sound = page.sound
        for signal in (
            sound.variations_requested, sound.morph_toggled, sound.extension_requested, sound.repaint_requested,
            sound.comparison_requested, sound.saving_requested,
        ):  # fmt: skip
            signal.connect(self._on_used)
        sound.variations_requested.connect(self.vary)
        sound.morph_toggled.connect(self._on_morph_toggled)
        sound.extension_requested.connect(self.extend)
        sound.repaint_requested.connect(self.repaint)
        sound.comparison_requested.connect(self.compare)
        sound.saving_requested.connect(self._on_saving_requested)
        page.kit_requested.connect(self.exports.ask_for_kit)

    def restore(self, settings: WindowSettings) -> None:
        """Save where the last session did."""
        self._played_model = settings.played_model
        self.exports.restore(settings.play_folder)

    def save(self, settings: WindowSettings) -> None:
        """Keep what was played, and where sounds and kits were saved."""
        settings.played_model = self._played_model
        settings.play_folder = str(self.exports.folder)

    def show_model(self, entry: ModelEntry | None) -> None:
        """Take over the model that is chosen on the Models page."""
        self._entry = entry
        self.exports.model_name = entry.name if entry is not None else ""
        self.page.show_model(entry.path if entry is not None else None)
        if self.page.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Open the map of the chosen model, unless it is open.

        A model that was written again is opened again, unless something was made with it already.  One that could not
        be opened is tried again.
        """
        path = self._entry.path if self._entry is not None else None
        opened = None if self._entry is None else (self._entry.path, self._entry.mtime_ns)
        is_same_file = path is not None and self._opened is not None and path == self._opened[0]
        is_in_use = self.current is not None or (self.keeper.has_changed and bool(self.page.pads.sounds()))
        if opened == self._opened or (is_same_file and is_in_use):
            if self._has_failed:
                self._open_map()
            return
        self._opened = opened
        self._tasks.clear()
        self._tasks.cancel()  # what it makes is of the model before
        self._notices.forget(TOPIC)  # an offer to put its sounds back, too
        self._set_current(None)
        self.page.history.clear()
        self.keeper.open(self._entry.model_id if self._entry is not None else "")  # which keeps the verdicts of before
        self._verdicts.open(self._entry.mtime_ns if self._entry is not None else 0)
        self.page.show_map(None, "")
        self._open_map()

    def _open_map(self) -> None:
        self._has_failed = self._is_opening = False
        self._held_request = None
        if self._entry is not None:
            self.page.show_opening(self._entry.name)
            path, session = self._entry.path, self._session
            self._start(lambda _notify, _cancel: session.open(path), self._on_map, self.tr("Opening the map…"))
            self._is_opening = True

    def close(self) -> None:
        """End what runs."""
        self._tasks.clear()
        self._verdicts.close()
        self.keeper.close()
        self._stand_still()
        self._choosing.stop()
        self._tidying.close()
        end_tasks(self)
        self._session.close()

    # Playing.

    def play_position(self, position: Position) -> None:
        """Generate and play the sound at a position, with the sliders as they are."""
        self._gestures.end()
        moves = dict(self.page.sliders.moves())
        session = self._session
        self._start(
            lambda _notify, _cancel: session.sound_at(position, moves), self._play_generated, self.tr("Generating…")
        )

    def play_cursor(self) -> None:
        """Generate and play the sound at the cursor, in place of that before in the same movement."""
        position, moves, session = self.page.map.cursor_position, dict(self.page.sliders.moves()), self._session
        self._start(
            lambda _notify, _cancel: session.sound_at(position, moves),
            partial(self._play_moved, self._gestures.current or Gesture()),
            self.tr("Generating…"),
        )

    def _play_moved(self, gesture: Gesture, path: Path) -> None:
        """Play a sound of a movement.  The one before goes, unless it was there before or the user has used it."""
        before, is_known = gesture.sound, self.page.history.lists(path)
        self._list(path)
        if path != before:
            gesture.sound = None if is_known else path
            if before is not None and before not in self._used:
                self._supersede(before)
        self._play(path)

    def _supersede(self, path: Path) -> None:
        self.page.history.remove(path)
        self._verdicts.forget(path)
        self._session.supersede(path)
        session = self._session
        self._tidying.clear()
        self._tidying.submit(lambda _notify, _cancel: session.discard_superseded())

    def play_dot(self, row: int) -> None:
        """Play the user's own sound of a dot, from its chunk on; one whose file is not known is generated.

        It is what the sliders change next, from their middle on.
        """
        shown_map = self.page.map.shown
        if shown_map is None:
            return
        self._show_place(shown_map.positions[row], {})
        path = shown_map.files.get(shown_map.sounds[row])
        if path is None:
            self.play_position(shown_map.positions[row])
            return
        self._play(path, shown_map.starts[row])

    def play_path(self, path: Sequence[Position]) -> None:
        """Generate and play one sound along a path."""
        seconds, session, corners = self.page.sound.length.value(), self._session, list(path)
        self._start(
            lambda _notify, _cancel: session.sound_along(corners, seconds),
            self._play_plain,
            self.tr("Generating the path…"),
        )

    def _on_hovered(self, row: int) -> None:
        if row >= 0 and self.page.hover.isChecked():
            self.play_dot(row)

    def _on_menu_requested(self, row: int, position: QPoint) -> None:
        """Open the menu of a dot."""
        shown_map = self.page.map.shown
        if shown_map is None:
            return

        def play() -> None:
            if self.page.map.shown is shown_map:  # no other map has come while the menu was open
                self.page.map.choose_dot(row)

        path = shown_map.files.get(shown_map.sounds[row])
        menu = DotMenu(path is not None, len(self.page.pads.sounds()) < COUNT, self.page)
        menu.play_dot.triggered.connect(play)
        if path is not None:
            menu.put_on_pad.triggered.connect(lambda: self.put_on_pads([path]))
            menu.save_copy.triggered.connect(lambda: self.exports.ask_for_sound_file(path))
            menu.copy_file.triggered.connect(lambda: copy_files([path]))
            menu.show_in_folder.triggered.connect(lambda: reveal(path, self))
        menu.popup(position)

    def _on_point_moved(self, x: float | None, y: float | None) -> None:
        """Move the cursor, and play there once it rests."""
        if not self.page.isVisible():  # it was on its way when the page was left
            return
        cursor = self.page.map.cursor_position
        self.page.map.move_cursor((cursor[0] if x is None else x, cursor[1] if y is None else y))
        self._gestures.go_on()
        self._settling.start()

    def _stand_still(self) -> None:
        """End what is under way with sliders and point."""
        self._settling.stop()
        self.page.sliders.stop()
        self._gestures.end()

    def _play_generated(self, path: Path) -> None:
        self._list(path)
        self._play(path)

    def _play_plain(self, path: Path) -> None:
        """Play a generated sound that the sliders had no part in."""
        self._show_place(None, {})
        self._play_generated(path)

    def _on_history_chosen(self, path: Path) -> None:
        self._used.add(path)
        self._play(path)
        self._choose()

    def _on_used(self, *_values: object) -> None:
        if self.current is not None:
            self._used.add(self.current)

    # What the sliders change.

    def _choose(self) -> None:
        """Let cursor and sliders show the current sound, which the user has chosen, unless the mouse holds a slider."""
        if not self.page.sliders.is_held:
            self._stand_still()
            self._choosing.start()

    def _look_for_place(self) -> None:
        """Find out in the background where the current sound lies on the map, and how the sliders were."""
        path, session = self.current, self._session
        if path is not None and self.page.map.shown is not None:
            self._looking.clear()
            self._looking.submit(lambda _notify, _cancel: (path, session.place_of(path)), self._on_place_found)

    def _on_place_found(self, found: tuple[Path, tuple[Position, Mapping[str, float]] | None]) -> None:
        path, place = found
        if path == self.current and self._gestures.current is None:
            self._show_place(*(place or (None, {})))

    def _show_place(self, position: Position | None, moves: Mapping[str, float]) -> None:
        """Show what the next movement of a slider starts from: the settings of a sound, and where it lies, if known."""
        if self.page.sliders.is_held:
            return
        self._stand_still()
        self._choosing.stop()
        self.page.sliders.show_moves(moves)
        if position is not None and position != self.page.map.cursor_position:
            self.page.map.move_cursor(position)

    def _play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a sound, and make it the current one: first requested, it does not wait for its pitches."""
        if self.page.isVisible():  # what becomes ready later does not interrupt what is heard on another page
            self._player.play(path, start_seconds)
        self._set_current(path)

    def _on_status(self, status: PlayerStatus) -> None:
        heard = status.path if status.state is PlayerState.PLAYING else None
        for sounds in (self.page.history, self.page.near):
            sounds.show_heard(heard)

    def take_sound(self, path: Path) -> None:
        """Take over a sound from another page, to make others of it."""
        self.page_requested.emit()  # which may open another map
        self._player.take(path)
        self._set_current(path)
        self._choose()

    def put_on_pads(self, paths: Sequence[Path]) -> None:
        """Put sounds from another page on the empty pads."""
        self.page_requested.emit()  # which may open another map, and its pads
        self.page.show_pads()
        self.keeper.when_read(lambda: self._filling.put_on_empty(paths))

    def follow_file(self, before: Path, path: Path) -> None:
        """Hold a file under the name that it has now."""
        self.keeper.follow_file(before, path)
        self._session.follow_file(before, path)
        self.page.history.follow_file(before, path)
        self._verdicts.follow_file(before, path)
        if self._morph_from == before:
            self._morph_from = path
        if self.current == before:
            self._set_current(path)

    def _list(self, path: Path) -> None:
        """List a generated sound, and find out in the background how new it is."""
        self.page.history.add(path, word_of(self._verdicts.of(path)))
        self._verdicts.judge(path)

    def _on_verdict_found(self, path: Path) -> None:
        self.page.history.show_word(path, word_of(self._verdicts.of(path)))
        if path == self.current:
            self._show_verdict()

    def _show_verdict(self) -> None:
        verdict = self._verdicts.of(self.current)
        text = verdict_text(verdict) if verdict is not None else ""
        self.page.sound.show_verdict(text, verdict is not None and verdict.file is not None)

    def _set_current(self, path: Path | None) -> None:
        self.current = path
        sound = self.page.sound
        sound.show_has_sound(path is not None)
        self.page.show_name(path.stem if path is not None else "")
        self._show_verdict()
        self._control.show_sound(path)
        self._waves.show(path)
        source = self._morph_from
        if source is not None and path != source:
            sound.morph.setChecked(False)
            if path is not None:
                self._filling.put_morph(source, path)

    def compare(self) -> None:
        """Switch between the current sound and the nearest own one; if neither plays, begin with the current one."""
        current, verdict = self.current, self._verdicts.of(self.current)
        nearest_own = verdict.file if verdict is not None else None
        if current is None or nearest_own is None:
            return
        if self._player.playback.status.pair == (current, nearest_own):
            self._player.playback.toggle_compare()
        else:
            self._player.compare(current, nearest_own)

    # Pads.

    def fill_pads(self) -> None:
        """Put generated sounds on the pads, as the sliders are."""
        self._filling.fill_from_map(self.page.map, dict(self.page.sliders.moves()))

    def vary(self, strength: float) -> None:
        """Put variations of the current sound on the pads, from the first one on."""
        if self.current is not None:
            self._filling.put_variations(self.current, strength)

    def _on_morph_toggled(self, is_on: bool) -> None:
        self._morph_from = self.current if is_on else None
        if is_on:
            self.page.show_busy(self.tr("Choose the second sound"))
        elif not self._tasks.is_busy:
            self.page.show_busy("")

    def extend(self, seconds: float) -> None:
        """Continue the current sound."""
        source, session, seed = self.current, self._session, secrets.randbelow(2**31)
        if source is not None:
            self._start(
                lambda _notify, cancel: session.extend(source, seconds, seed, cancel),
                self._play_plain,
                self.tr("Extending… Esc stops."),
            )

    def repaint(self, start: float, end: float) -> None:
        """Generate a part of the current sound anew."""
        source, session, seed = self.current, self._session, secrets.randbelow(2**31)
        if source is not None:
            self._start(
                lambda _notify, cancel: session.repaint(source, start, end, seed, cancel),
                self._play_plain,
                self.tr("Repainting… Esc stops."),
            )

    def _on_pad_empty(self, number: int) -> None:
        if self.current is not None:
            self.page.pads.hold(number, self.current)
            self._player.play(self.current)

    def _on_pad_held(self, _number: int, sound: Path | None) -> None:
        if sound is not None and sound == self.current:
            self._waves.show(sound)  # its file may have been written anew

    def _on_pad_pressed(self, number: int) -> None:
        """Make the sound of a pad the current one."""
        sound = self.page.pads.pads[number].sound
        if sound is not None:
            self._player.take(sound)
        if sound is not None and sound != self.current:
            self._set_current(sound)
            self._choose()

    def _on_saving_requested(self) -> None:
        if self.current is not None:
            self.exports.ask_for_sound_file(self.current)

    # Tasks.

    def _on_map(self, shown: ShownMap) -> None:
        if self._entry is not None:
            self._played_model = str(self._entry.path)
        self.page.show_map(shown, self._entry.name if self._entry is not None else "")
        self._control.show_sliders([slider.name for slider in shown.sliders])
        held_request, self._is_opening, self._held_request = self._held_request, False, None
        if self.current is not None:  # it came from another page
            self._choose()
        if held_request is not None:
            held_request()

    def _stop(self) -> None:
        if not self._is_opening:  # a map is opened to its end
            self._tasks.clear()
            self._tasks.cancel()

    def _on_idle(self) -> None:
        self._is_opening, self._held_request = False, None  # where opening has failed
        self.page.show_busy(self.exports.busy)

    def _start(self, work: Work, on_done: Callable[[Any], None], text: str) -> None:
        """Run work in the background after that which runs, in place of any that waits; but after a map is opened."""
        if self._is_opening:
            self._held_request = lambda: self._start(work, on_done, text)
            return
        engine = self._engine

        def with_engine(notify: Callable[[Any], None], cancel: threading.Event) -> Any:
            engine()  # waits for the import of torch
            return work(notify, cancel)

        def on_started() -> None:
            self._notices.forget(TOPIC)
            self.page.show_busy(text)

        self._tasks.clear()
        self._tasks.submit(with_engine, on_done, self._on_failed, on_progress=self._on_progress, on_started=on_started)

    def _on_progress(self, news: str | tuple[int, Path, PadStep]) -> None:
        """Say how far the work is, or hold a sound that is ready on its pad."""
        if isinstance(news, str):
            self.page.show_busy(news)
            return
        number, path, step = news
        self._list(path)
        with self.keeper.changes.within(step):
            self.page.pads.hold(number, path)

    def _on_failed(self, error: Exception) -> None:
        if self.page.map.shown is None:
            self._has_failed = True
            self.page.show_map(None, "", error_text(error))
        else:
            self._notices.notify_error(TOPIC, error)
