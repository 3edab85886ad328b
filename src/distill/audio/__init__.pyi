from .augmentation import (
    AugmentationPipeline as AugmentationPipeline,
)
from .complex_spectrogram import (
    ComplexSpectrogram as ComplexSpectrogram,
)
from .spectrogram import (
    AudioSpectrogram as AudioSpectrogram,
    SpectrogramConfig as SpectrogramConfig,
)
