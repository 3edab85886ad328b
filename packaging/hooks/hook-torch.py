"""What of torch goes into the bundle: what a training on eager kernels can reach.

PyInstaller's own hook takes all of torch.  Left out here, with what it is for:

- ``bin``, ``test``, ``include``, ``share``, ``lib/*.a``, ``*_test.so``: building and testing C++ extensions;
- the compiler behind ``torch.compile`` (most of ``_inductor``): it needs a C++ compiler on the user's computer;
- export to ONNX, TensorBoard, the test and benchmark suites, building of extensions: Distill calls none of them.

Sources are collected beside the byte code because some of torch's modules read their own when they are imported; the
recipe keeps those of these modules.
"""

from pathlib import PurePath

from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs, collect_submodules

#: Packages without which torch trains; a name here takes all that is under it along.
SKIPPED = (
    "torch._inductor.codegen", "torch._inductor.fx_passes", "torch._inductor.kernel", "torch._inductor.autoheuristic",
    "torch._inductor.package", "torch._inductor.template_heuristics", "torch._inductor.compile_worker",
    "torch.distributed.pipelining", "torch.distributed.benchmarks", "torch.distributed.examples",
    "torch.distributed._tools",
    "torch.onnx._internal.fx", "torch.onnx._internal.exporter._torchlib",
    "torch.utils.benchmark", "torch.utils.bottleneck", "torch.utils.tensorboard", "torch.utils.cpp_extension",
    "torch.utils.hipify", "torch.utils.model_dump", "torch.utils.viz", "torch.utils.mobile_optimizer",
    "torch.ao.ns", "torch._numpy.testing",
)  # fmt: skip

#: Of the tests only what torch imports of them by itself.
TESTS, TESTS_THAT_STAY = "torch.testing._internal.", ("common_dtype", "distributed", "logging_tensor")

#: Libraries that belong to torch's own tests.
TEST_LIBRARIES = ("libjitbackend_test", "libbackend_with_compiler", "libtorchbind_test", "libaoti_custom_ops")


def is_wanted(name: str) -> bool:
    """Whether a module goes into the bundle."""
    if name.startswith(TESTS):
        rest = name.removeprefix(TESTS)
        return rest in TESTS_THAT_STAY or rest == "distributed.fake_pg"
    return not any(name == part or name.startswith(f"{part}.") for part in SKIPPED)


module_collection_mode = "pyz+py"
warn_on_missing_hiddenimports = False
hiddenimports = collect_submodules("torch", filter=is_wanted)
excludedimports = [*SKIPPED, "setuptools", "tensorboard", "numba", "scipy", "pandas", "IPython", "matplotlib"]
# torch asks for the helper of shared memory when it is imported, and refuses to go on without it.
datas = collect_data_files("torch", include_py_files=False, includes=["bin/torch_shm_manager*"])
binaries = [
    (source, target)
    for source, target in collect_dynamic_libs("torch", search_patterns=["*.dll", "*.dylib", "*.so", "*.so.*"])
    if not PurePath(source).name.startswith(TEST_LIBRARIES) and "test" not in PurePath(target).parts
]
# torch looks for further libraries beside the one that it finds itself loaded from: there must be one of each.
bindepend_symlink_suppression = ["**/torch/lib/*.so*"]
