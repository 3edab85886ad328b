"""The line over the curves of the shown run: a verdict, how good the loss is, and a button for what is advised."""

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.labels import FewLinesLabel, ShortenedLabel
from distill.runs.verdict import Advice

translate = QCoreApplication.translate

#: Lines of text that a verdict has room for.
LINES = 3


class VerdictLine(QWidget):
    """Shows a verdict and a summary.  It is as high with each as with none, so that the curves do not move.

    It is hidden, and takes no room, while no run is shown.
    """

    #: The user wants what the verdict proposes.
    advice_taken = Signal(object)  # Advice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._advice = Advice.NONE
        self.text = FewLinesLabel(LINES)
        self.text.setObjectName("verdict")
        self.button = ActionButton()  # by the second click it may propose something else
        self.button.setObjectName("verdictAction")
        self.button.setProperty("small", True)
        self.button.clicked.connect(self._on_clicked)
        self.summary = ShortenedLabel(1)
        self.summary.setObjectName("lossSummary")
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addWidget(self.summary, 1, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.button)
        row.addStrut(self.button.sizeHint().height())  # also while the button is hidden
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.HALF)
        column.addWidget(self.text)
        column.addLayout(row)
        self.show_verdict("", Advice.NONE)
        self.hide()

    def show_verdict(self, sentence: str, advice: Advice, can_act: bool = True) -> None:
        """Show a verdict in a sentence, and what it proposes; an empty one for no run."""
        self._advice = advice
        self.text.setText(sentence)
        self.text.setAccessibleName(self.tr("Verdict on the training: {0}").format(sentence))
        texts = {
            Advice.FINISH: (
                self.tr("Finish now"),
                self.tr("End the run; the model has the weights of its best epoch."),
            ),
            Advice.TRAIN_ON: (self.tr("Train on"), self.tr("Continue this run for half as many epochs again.")),
            Advice.LOWER_KL: (
                self.tr("Pack more loosely"),
                self.tr("Pause this run, and pack the sounds of the next one more loosely (a tenth of the KL weight)."),
            ),
            Advice.LOWER_RATE: (
                self.tr("Smaller steps"),
                self.tr("Pause this run, and train the next one in smaller steps (a third of the learning rate)."),
            ),
            Advice.MORE_RESETS: (
                self.tr("Replace sooner"),
                self.tr(
                    "Pause this run, and replace unused building blocks sooner in the next one "
                    "(five times the dead code reset)."
                ),
            ),
        }
        text, tip = texts.get(self._advice, ("", ""))
        self.button.setText(text)
        self.button.setAccessibleName(text)
        self.button.setToolTip(tip)
        self.button.setEnabled(can_act and bool(text))
        self.button.setVisible(bool(text))

    def _on_clicked(self) -> None:
        self.advice_taken.emit(self._advice)


def best_loss_lines(first: tuple[float, float] | None, best: tuple[float, float] | None) -> list[list[str]]:
    """Return in words how good the loss is, and where it is best, from the longest wording to the shortest.

    ``first`` and ``best`` are position and loss of an epoch, or None before there is one.
    """
    if first is None or best is None:
        return []
    (first_epoch, first_loss), (epoch, best_loss) = first, best
    loss = f"{best_loss:#.3g}".rstrip(".")
    texts = [
        translate("PlotsPanel", "Best: epoch {0:.0f}, loss {1}.").format(epoch, loss),
        translate("PlotsPanel", "Best: epoch {0:.0f}.").format(epoch),
    ]
    share = round(100 * (1 - best_loss / first_loss)) if first_loss > 0 else 0
    if share:
        texts.insert(
            0, translate("PlotsPanel", "Best: epoch {0:.0f}, loss {1}, {2} % lower.").format(epoch, loss, share)
        )
        text = translate("PlotsPanel", "Best: epoch {0:.0f}, loss {1}, {2} % lower than after epoch {3:.0f}.")
        texts.insert(0, text.format(epoch, loss, share, first_epoch))
    return [texts]
