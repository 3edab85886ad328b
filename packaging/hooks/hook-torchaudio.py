"""torchaudio without its native libraries: Distill uses one function of it, which is Python.

The libraries are linked against one build of torch (on Linux the one for CUDA) and would not load with another; without
them torchaudio notices that they are not there and goes on.
"""

module_collection_mode = "pyz+py"
excludedimports = ["torchaudio.lib"]
