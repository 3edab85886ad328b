"""What a model file says of itself.  No torch here."""

import uuid
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Self


def now_iso() -> str:
    """Return the time as it is stored: UTC, ISO 8601, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class ModelMetadata:
    """Facts about a model, for people and for the library.

    Attributes
    ----------
    name, description, tags
        The user's words.
    model_id
        Unique; tells models of the same name apart.
    dataset_name, dataset_file_count, dataset_total_duration_s
        What it was trained on; duration in seconds.
    training_date, save_date
        ISO 8601.
    training_epochs, final_train_loss, final_val_loss
        Of the epoch that the weights are from.
    """

    name: str = "Untitled"
    description: str = ""
    model_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    dataset_name: str = ""
    dataset_file_count: int = 0
    dataset_total_duration_s: float = 0.0
    training_date: str = field(default_factory=now_iso)
    save_date: str = field(default_factory=now_iso)
    training_epochs: int = 0
    final_train_loss: float | None = None
    final_val_loss: float | None = None
    tags: tuple[str, ...] = ()

    def completed(self) -> Self:
        """Return the metadata with a new id and the time of now where they are empty."""
        return replace(self, model_id=self.model_id or uuid.uuid4().hex, save_date=self.save_date or now_iso())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "tags": list(self.tags)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`'s result; unknown keys are ignored.

        Raises
        ------
        ValueError
            A value is of the wrong type.
        """
        if not isinstance(data, dict):
            raise ValueError("the metadata are not named values")
        known = {f.name: f for f in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["tags"] = tuple(values.get("tags") or ())
        new = cls(**values)
        texts = (new.name, new.description, new.model_id, new.dataset_name, new.training_date, new.save_date)
        if not all(isinstance(value, str) for value in (*texts, *new.tags)):
            raise ValueError("a text of the metadata is no text")
        numbers = (new.dataset_file_count, new.dataset_total_duration_s, new.training_epochs)
        losses = (new.final_train_loss, new.final_val_loss)
        if not all(isinstance(v, (int, float)) for v in (*numbers, *(x for x in losses if x is not None))):
            raise ValueError("a number of the metadata is no number")
        return new
