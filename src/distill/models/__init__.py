"""Model families, their losses, and the files that models are kept in."""

from typing import TYPE_CHECKING

from distill.lazy import lazy_names

if TYPE_CHECKING:
    from distill.library.model_library import ModelEntry, ModelLibrary
    from distill.models.inference import LoadedModel, LoadedVQModel
    from distill.models.losses import compute_kl_divergence, get_kl_weight, vae_loss, vqvae_loss
    from distill.models.metadata import ModelMetadata
    from distill.models.persistence import (
        MODEL_FORMAT_MARKER,
        SAVED_MODEL_VERSION,
        SAVED_MODEL_VERSION_V2,
        delete_model,
        load_model,
        load_model_v2,
        open_model,
        save_model,
        save_model_from_checkpoint,
        save_model_v2,
    )
    from distill.models.vae import ConvDecoder, ConvEncoder, ConvVAE
    from distill.models.vqvae import ConvVQVAE

__all__ = [
    "MODEL_FORMAT_MARKER",
    "SAVED_MODEL_VERSION",
    "SAVED_MODEL_VERSION_V2",
    "ConvDecoder",
    "ConvEncoder",
    "ConvVAE",
    "ConvVQVAE",
    "LoadedModel",
    "LoadedVQModel",
    "ModelEntry",
    "ModelLibrary",
    "ModelMetadata",
    "compute_kl_divergence",
    "delete_model",
    "get_kl_weight",
    "load_model",
    "load_model_v2",
    "open_model",
    "save_model",
    "save_model_from_checkpoint",
    "save_model_v2",
    "vae_loss",
    "vqvae_loss",
]

__getattr__ = lazy_names(
    __name__,
    {
        "losses": ("compute_kl_divergence", "get_kl_weight", "vae_loss", "vqvae_loss"),
        "distill.library.model_library": ("ModelEntry", "ModelLibrary"),
        "metadata": ("ModelMetadata",),
        "inference": ("LoadedModel", "LoadedVQModel"),
        "persistence": (
            "MODEL_FORMAT_MARKER", "SAVED_MODEL_VERSION", "SAVED_MODEL_VERSION_V2", "delete_model", "load_model",
            "load_model_v2", "open_model", "save_model", "save_model_from_checkpoint", "save_model_v2",
        ),
        "vae": ("ConvDecoder", "ConvEncoder", "ConvVAE"),
        "vqvae": ("ConvVQVAE",),
    },
)  # fmt: skip
