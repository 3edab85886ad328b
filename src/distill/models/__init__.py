"""Model families, their losses, and the files that models are kept in."""

from typing import TYPE_CHECKING

from distill.lazy import lazy_names

if TYPE_CHECKING:
    from distill.models.losses import compute_kl_divergence, get_kl_weight, vae_loss
    from distill.models.metadata import ModelMetadata
    from distill.models.persistence import (
        MODEL_FORMAT_MARKER,
        SAVED_MODEL_VERSION,
        LoadedModel,
        delete_model,
        load_model,
        open_model,
        save_model,
        save_model_from_checkpoint,
    )
    from distill.models.vae import ConvDecoder, ConvEncoder, ConvVAE

__all__ = [
    "MODEL_FORMAT_MARKER",
    "SAVED_MODEL_VERSION",
    "ConvDecoder",
    "ConvEncoder",
    "ConvVAE",
    "LoadedModel",
    "ModelMetadata",
    "compute_kl_divergence",
    "delete_model",
    "get_kl_weight",
    "load_model",
    "open_model",
    "save_model",
    "save_model_from_checkpoint",
    "vae_loss",
]

__getattr__ = lazy_names(
    __name__,
    {
        "losses": ("compute_kl_divergence", "get_kl_weight", "vae_loss"),
        "metadata": ("ModelMetadata",),
        "persistence": (
            "MODEL_FORMAT_MARKER", "SAVED_MODEL_VERSION", "LoadedModel", "delete_model", "load_model", "open_model",
            "save_model", "save_model_from_checkpoint",
        ),
        "vae": ("ConvDecoder", "ConvEncoder", "ConvVAE"),
    },
)  # fmt: skip
