from .inference import (
    LoadedModel as LoadedModel,
    LoadedVQModel as LoadedVQModel,
)
from .library import (
    ModelEntry as ModelEntry,
    ModelLibrary as ModelLibrary,
)
from .losses import (
    compute_kl_divergence as compute_kl_divergence,
    get_kl_weight as get_kl_weight,
    vae_loss as vae_loss,
    vqvae_loss as vqvae_loss,
)
from .metadata import (
    ModelMetadata as ModelMetadata,
)
from .persistence import (
    MODEL_FORMAT_MARKER as MODEL_FORMAT_MARKER,
    SAVED_MODEL_VERSION as SAVED_MODEL_VERSION,
    SAVED_MODEL_VERSION_V2 as SAVED_MODEL_VERSION_V2,
    delete_model as delete_model,
    load_model as load_model,
    load_model_v2 as load_model_v2,
    open_model as open_model,
    save_model as save_model,
    save_model_from_checkpoint as save_model_from_checkpoint,
    save_model_v2 as save_model_v2,
)
from .vae import (
    ConvDecoder as ConvDecoder,
    ConvEncoder as ConvEncoder,
    ConvVAE as ConvVAE,
)
from .vqvae import (
    ConvVQVAE as ConvVQVAE,
)
