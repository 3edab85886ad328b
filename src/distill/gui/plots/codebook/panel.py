"""The health of the codebooks: utilization by level as curves, in words, and code by code."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from distill.events import LOW_UTILIZATION, Health
from distill.generation.codebooks import CodebookUse
from distill.gui.plots.codebook.strip import CodebookStrip
from distill.gui.plots.curve_data import Table
from distill.gui.plots.curve_drawing import CurveStyle
from distill.gui.plots.plot import Plot
from distill.gui.widgets import theme
from distill.metrics_history import VQMetricsHistory

#: Utilization from which a level is called healthy.
HEALTHY_CODEBOOK_UTILIZATION = 0.5

#: With fewer codes of held-out sounds for each codebook entry, the panel says on how few it was measured: rare
#: entries can then look unused.
FEW_CODES_PER_ENTRY = 4

#: Colours and symbols of the levels, at most four.
_LEVEL_COLORS = ("accent", "second", "third", "muted")
_LEVELS = tuple(f"level_{n}" for n in range(len(_LEVEL_COLORS)))
_LEVEL_DOTS = (("o", "●"), ("t1", "▲"), ("s", "■"), ("d", "◆"))

#: Spans of the moving averages in measurements; one in ten steps is measured.
HEALTH_SPANS = (3.0, 7.0, 25.0)

Floats = NDArray[np.float64]

#: Qt's translation tools find texts by this name and the context beside each text.
translate = QCoreApplication.translate


def make_codebook_plot() -> Plot:
    """Return the plot of the share of codes in use, with a curve for each level."""
    explanation = translate(
        "CodebookView", "Share of the building blocks of this level (codebook entries) that held-out sounds use."
    )
    by_step = translate("CodebookView", "The same for the sounds of one training step.")
    steps = (
        CurveStyle(f"steps_{n}", "", color, 1.0, by_step, opacity=0.45, in_legend=False, spans=HEALTH_SPANS)
        for n, color in enumerate(_LEVEL_COLORS)
    )
    levels = (
        CurveStyle(
            f"level_{n}",
            translate("CodebookView", "level {0}").format(n),
            color,
            2.0,
            explanation,
            dot=_LEVEL_DOTS[n][0],
        )
        for n, color in enumerate(_LEVEL_COLORS)
    )
    help = translate(
        "CodebookView",
        "Share of the building blocks in use (codebook utilization). With too few, choose a smaller codebook or "
        "add sounds.",
    )
    plot = Plot(
        "codebookPlot", translate("CodebookView", "Blocks in use, %"), (*steps, *levels), help=help, has_legend=False
    )
    plot.set_limits(0, 105)
    plot.add_reference(
        100 * LOW_UTILIZATION, translate("CodebookView", "too few below {0:.0f} %").format(100 * LOW_UTILIZATION)
    )
    return plot


class CodebookView(QWidget):
    """Shows the codebook health of a run.

    Parameters
    ----------
    build_plot
        Returns the plot, and puts it here (`put_plot`) when it builds it.
    parent
        Qt parent.
    """

    def __init__(self, build_plot: Callable[[], Plot], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build_plot = build_plot
        self.words = [_LevelWords(level) for level in range(len(_LEVEL_COLORS))]
        words = QHBoxLayout()
        words.setSpacing(theme.MARGIN)
        for word in self.words:
            words.addWidget(word, 1)
        self.caption = QLabel()
        self.caption.setObjectName("muted")
        self.caption.setWordWrap(True)
        self.strip = CodebookStrip()
        layout = self._layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        layout.addLayout(words)
        layout.addWidget(self.caption)
        layout.addWidget(self.strip)
        self._codebook_entries = 0
        self._steps = _StepHealth()
        self.hide_codes()

    @property
    def plot(self) -> Plot:
        """Utilization by level, as curves."""
        return self._build_plot()

    def put_plot(self, plot: Plot) -> None:
        """Show a plot above the words."""
        self._layout.insertWidget(0, plot, 1)

    def event(self, event: QEvent) -> bool:
        """Reserve the height of plot, words and codes, so that a low window scrolls instead of squeezing them."""
        handled = bool(super().event(event))
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            needed = max(0, self._layout.minimumHeightForWidth(self.width()))  # less than 0: everything is hidden
            if needed != self.minimumHeight():
                self.setMinimumHeight(needed)
        return handled

    def show_history(self, entries: int) -> None:
        """Prepare for another run, whose codebooks have this many entries."""
        self._codebook_entries = entries
        self._steps = _StepHealth()
        for word in self.words:
            word.show_health(None, entries)

    def redraw(self, history: VQMetricsHistory) -> None:
        """Draw what a history has measured."""
        epoch_health = [(e.epoch + 1, e.codebook_health) for e in history.epochs if e.codebook_health]
        epochs = np.array([epoch for epoch, _ in epoch_health], dtype=np.float64)
        self._steps.read(history)
        for level, word in enumerate(self.words):
            name = f"level_{level}"
            utilization_curve = [codebooks.get(name, {}).get("utilization", np.nan) for _, codebooks in epoch_health]
            self.plot.set_curve(f"steps_{level}", *self._steps.curve(name))
            self.plot.set_curve(name, epochs, 100 * np.array(utilization_curve, dtype=np.float64))
            word.show_health(epoch_health[-1][1].get(name) if epoch_health else None, self._codebook_entries)
        explanation = self.tr(
            "Codes of the held-out sounds, in each level. With few of them, rare entries look unused."
        )
        self.plot.set_note(self._tokens_note(epoch_health[-1][1]) if epoch_health else "", explanation)

    def show_counting(self) -> None:
        """Show that the codes of the model are being counted."""
        self.caption.setText(self.tr("Counting which codes the held-out sounds use…"))
        self.caption.show()

    def show_use(self, use: CodebookUse) -> None:
        """Show how often each code is used."""
        counted_sounds = self.tr("held-out sounds") if use.is_whole else self.tr("the originals of the previews")
        text = self.tr("Stronger colour: used more by {0} ({1} codes). Click one to hear it.")
        self.caption.setText(text.format(counted_sounds, use.tokens))
        self.caption.show()
        self.strip.show_counts(use.counts)
        self.strip.show()

    def hide_codes(self) -> None:
        """Hide the codes."""
        self.caption.hide()
        self.strip.hide()

    def _tokens_note(self, health: Health) -> str:
        tokens = int(next(iter(health.values()), {}).get("tokens", 0))
        if tokens < FEW_CODES_PER_ENTRY * self._codebook_entries:
            return self.tr("measured on only {0} codes").format(tokens)
        return self.tr("measured on {0} codes").format(tokens)


class _StepHealth:
    """Utilization in the steps that measured it; reads each step of a growing history once."""

    def __init__(self) -> None:
        self._seen = 0
        self._table = Table(("x", *_LEVELS))

    def read(self, history: VQMetricsHistory) -> None:
        """Read the new steps."""
        seen, self._seen = self._seen, history.step_count
        health: list[Health | None] = list(history.step_column("codebook_health")[seen : self._seen])
        measured = [seen + n for n, table in enumerate(health) if table]
        if not measured:
            return
        epoch, step, total = (history.step_column(name) for name in ("epoch", "step", "total_steps"))
        rows: dict[str, list[float]] = {"x": [epoch[n] + (step[n] + 1) / max(total[n], 1) for n in measured]}
        for level in _LEVELS:
            tables = ((health[n - seen] or {}).get(level, {}) for n in measured)
            rows[level] = [100 * table.get("utilization", np.nan) for table in tables]
        self._table.extend(rows)

    def curve(self, level: str) -> tuple[Floats, Floats]:
        """Return positions on the axis of epochs, and percentages."""
        return self._table["x"], self._table[level]


class _LevelWords(QLabel):
    """The health of a level in the newest epoch: a word and a number.  Hidden without a measurement."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self._health: Mapping[str, float] | None = None
        self._codebook_entries = 0
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.hide()

    def show_health(self, health: Mapping[str, float] | None, entries: int) -> None:
        """Show a level's health; None hides it."""
        if health != self._health or entries != self._codebook_entries:
            self._health, self._codebook_entries = health, entries
            self._write()

    def changeEvent(self, event: QEvent) -> None:
        """Apply the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._write()

    def _write(self) -> None:
        health, colors = self._health, theme.colors()
        self.setVisible(health is not None)
        if health is None:
            return
        use = health["utilization"]
        word, color = self._verdict(use)
        level = (
            f'<span style="color:{getattr(colors, _LEVEL_COLORS[self._level])}">{_LEVEL_DOTS[self._level][1]}</span>'
        )
        numbers = self.tr("{0:.0f} % in use").format(100 * use)
        self.setText(
            f'{level} {self.tr("level {0}").format(self._level)} <b style="color:{color}">{word}</b>'
            f'<br><span style="color:{colors.muted}">{numbers}</span>'
        )
        self.setToolTip(
            self.tr(
                "{0} of {1} building blocks (codebook entries) are unused; perplexity {4:.0f}. "
                "Healthy from {2:.0%} in use, too few below {3:.0%}."
            ).format(
                int(health["dead_codes"]),
                self._codebook_entries,
                HEALTHY_CODEBOOK_UTILIZATION,
                LOW_UTILIZATION,
                health["perplexity"],
            )
        )

    def _verdict(self, use: float) -> tuple[str, str]:
        colors = theme.colors()
        if use < LOW_UTILIZATION:
            return self.tr("too few"), colors.bad
        if use < HEALTHY_CODEBOOK_UTILIZATION:
            return self.tr("few"), colors.fair
        return self.tr("healthy"), colors.good
