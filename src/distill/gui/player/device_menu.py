"""The menu of output devices."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

if TYPE_CHECKING:
    from distill.playback.output_device import OutputDevice


class DeviceMenu(QMenu):
    """Lists what sounds can be played through, the system's default first."""

    device_chosen = Signal(object)  # OutputDevice or None
    #: The list may be out of date.  True: whatever is heard may be interrupted for a moment to look anew.
    look_requested = Signal(bool)
    #: There are other entries than before: the menu has another size.
    refilled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("deviceMenu")
        self.setTitle(self.tr("Output device"))
        self.setAccessibleName(self.tr("Output device"))
        self.setToolTipsVisible(True)
        self._devices: tuple[OutputDevice, ...] | None = None
        self._chosen: OutputDevice | None = None
        self._group = QActionGroup(self)
        self._fill()
        self.aboutToShow.connect(self._on_about_to_show)

    @property
    def chosen(self) -> "OutputDevice | None":
        """The device that is marked; None is the system's default."""
        return self._chosen

    def show_chosen(self, device: "OutputDevice | None") -> None:
        """Mark a device, whether it is there or not."""
        self._chosen = device
        self._fill()

    def show_devices(self, devices: Sequence["OutputDevice"]) -> None:
        """List the devices that were found."""
        if tuple(devices) != self._devices:
            self._devices = tuple(devices)
            self._fill()

    def _fill(self) -> None:
        self.clear()
        self._entry(self.tr("System default"), None)
        self.addSeparator()
        devices = self._devices
        if devices is None:
            self.addAction(self.tr("Looking for devices…")).setEnabled(False)
        elif not devices:
            self.addAction(self.tr("No output device is there")).setEnabled(False)
        several = len({device.host_api for device in devices or ()}) > 1
        for device in devices or ():
            text = self.tr("{0} ({1})").format(device.name, device.host_api) if several else device.name
            self._entry(text, device)
        if self._chosen is not None and devices is not None and self._chosen not in devices:
            missing = self._entry(self.tr("{0}: not connected").format(self._chosen.name), self._chosen)
            missing.setToolTip(self.tr("The system's default plays until it is back."))
        self.addSeparator()
        again = self.addAction(self.tr("Look for devices again"))
        again.setObjectName("rescanAction")
        again.setToolTip(self.tr("After plugging something in. What you hear is interrupted for a moment."))
        again.triggered.connect(lambda _checked=False: self.look_requested.emit(True))
        self.refilled.emit()

    def _entry(self, text: str, device: "OutputDevice | None") -> QAction:
        entry = QAction(text.replace("&", "&&"), self)
        entry.setCheckable(True)
        entry.setChecked(device == self._chosen)
        entry.triggered.connect(lambda _checked=False: self._on_chosen(device))
        self._group.addAction(entry)
        self.addAction(entry)
        return entry

    def _on_about_to_show(self) -> None:
        self._fill()  # what was chosen since may have been an entry of a device that is not there
        self.look_requested.emit(False)

    def _on_chosen(self, device: "OutputDevice | None") -> None:
        self._chosen = device
        self.device_chosen.emit(device)
