"""Help, Keyboard shortcuts: every key of the window, with a search field."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.key_help import KeyGroup

FIRST_SIZE = (560, 560)


class ShortcutsDialog(QDialog):
    """Lists keys by menu and by panel."""

    def __init__(self, groups: Sequence[KeyGroup], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.filter = QLineEdit()
        self.filter.setObjectName("shortcutFilter")
        self.filter.setAccessibleName(self.tr("Filter shortcuts"))
        self.filter.setPlaceholderText(self.tr("Filter by what it does, or by key"))
        self.filter.setToolTip(self.tr("Show the shortcuts that hold each of these words."))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter_changed)
        #: The headings, and the lines under each.
        self.groups: list[tuple[QTreeWidgetItem, list[QTreeWidgetItem]]] = []
        self.tree = self._make_tree(groups)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("closeButton")
        close.setToolTip(self.tr("Back to the window (Esc)."))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MARGIN, theme.MARGIN, theme.MARGIN, theme.MARGIN)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.filter)
        layout.addWidget(self.tree, 1)
        layout.addWidget(buttons)
        self.resize(*FIRST_SIZE)

    def _make_tree(self, groups: Sequence[KeyGroup]) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setObjectName("shortcutList")
        tree.setAccessibleName(self.tr("Keyboard shortcuts"))
        tree.setToolTip(self.tr("The keys of a panel work while it has the focus; those of the menus everywhere."))
        tree.setColumnCount(2)
        tree.setHeaderHidden(True)
        tree.setRootIsDecorated(False)
        tree.setIndentation(theme.GAP)
        tree.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        header = tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        for group in groups:
            top = QTreeWidgetItem(tree, [group.title])
            font = top.font(0)
            font.setBold(True)
            top.setFont(0, font)
            top.setFirstColumnSpanned(True)
            lines = [[entry.text, self.tr(" or ").join(entry.keys)] for entry in group.entries]
            self.groups.append((top, [QTreeWidgetItem(top, line) for line in lines]))
            top.setExpanded(True)
        return tree

    def _on_filter_changed(self, text: str) -> None:
        words = text.casefold().split()
        for top, children in self.groups:
            shown = 0
            for child in children:
                line = f"{child.text(0)} {child.text(1)}".casefold()
                child.setHidden(not all(word in line for word in words))
                shown += not child.isHidden()
            top.setHidden(not shown)
