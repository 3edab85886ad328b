"""Write files of every kind that Distill keeps, so that later versions are tested on files of this one.

``python tests/data/make_fixtures.py`` writes ``tests/data/v<version>``, which must not exist yet;
`tests.test_old_files` opens every such folder.  A folder is never changed once it is written: a later version adds
one of its own.

All files come from the program's own code.  Three things are changed afterwards, none of them part of a format:

* Folders are replaced by ``SOUNDS``, ``RUNS``, ``LIBRARY``, ``MADE`` and ``TRASH``; the tests put real ones back.
* The large tensors of the mel families, whose networks have a fixed size of over a million numbers, are replaced by
  periodic ones of about the same mean and spread, so that they compress.  Small tensors are as they were trained.
* Archives and decoded sounds are stored compressed, as ``<name>.xz``; of the previews of a kind only the first is kept.
"""

import json
import lzma
import os
import shutil
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from distill import __version__
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.generation.generated_sound import GeneratedSound
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.new_sounds import make_new
from distill.generation.transform import transform_file
from distill.gui.previews.stars import StarChange, update_stars
from distill.library.index import index_folder
from distill.library.model_library import ModelLibrary
from distill.models.persistence import open_model
from distill.serialization.archive import write_archive
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.settings import WindowSettings
from distill.training import EpochMetrics, RegularizationConfig, TrainingConfig, VQEpochMetrics, VQVAEConfig, train

DATA = Path(__file__).resolve().parent
EPOCHS = 3
#: Tensors of at least so many numbers are made periodic.
LARGE = 20_000
#: A prime: rows of a matrix do not become equal.
PERIOD = 241

_SHARED: dict[str, Any] = {
    "max_epochs": EPOCHS, "batch_size": 1, "chunk_duration_s": 0.25, "val_fraction": 0.25, "checkpoint_interval": 1,
    "max_checkpoints": 1, "preview_interval_short": 100, "precision": "float32", "num_threads": 1, "device": "cpu",
    "regularization": RegularizationConfig(augmentation_expansion=1),
}  # fmt: skip
CONFIGS: dict[str, TrainingConfig | VQVAEConfig] = {
    "vae": TrainingConfig(latent_dim=3, **_SHARED),
    "complex_vae": TrainingConfig(family="complex_vae", latent_dim=3, network_width=4, **_SHARED),
    "vqvae": VQVAEConfig(codebook_dim=8, codebook_size=16, num_quantizers=2, **_SHARED),
}


def write_sounds(folder: Path) -> list[Path]:
    """Write six short tones with noise, 16 bit at 11 025 Hz, and return their files."""
    folder.mkdir(parents=True)
    noise, t, files = np.random.default_rng(1), np.arange(2_200) / 11_025, []
    for n in range(6):
        tone = np.sin(2 * np.pi * 180 * (n + 1) * t) + 0.1 * noise.standard_normal(t.size)
        files.append(folder / f"bell {n}.wav")
        soundfile.write(files[-1], 0.4 * tone * np.exp(-8 * t), 11_025, subtype="PCM_16")
    return files


class StopInEpoch(threading.Event):
    """Stops a run when its second epoch has begun: when it is looked at for the third time after the first epoch."""

    looks_left: int | None = None

    def hear(self, event: object) -> None:
        """Take an event of the run."""
        if isinstance(event, (EpochMetrics, VQEpochMetrics)) and self.looks_left is None:
            self.looks_left = 3

    def is_set(self) -> bool:
        """Return whether the run is to stop."""
        if self.looks_left:
            self.looks_left -= 1
        return self.looks_left == 0


def write_run(family: str, sounds: list[Path], folder: Path) -> None:
    """Train a run, and stop it in its second epoch."""
    stop = StopInEpoch()
    result = train(CONFIGS[family], sounds, folder, "cpu", stop.hear, stop, dataset_name="Bells", model_name=family)
    newest = read_checkpoint(folder / "checkpoints" / "checkpoint_epoch0001.pt")
    assert result["outcome"] == "stopped" and not newest["training_state"]["epoch_completed"]
    for path in (*folder.glob("checkpoints/*.pt"), folder / "model.distill"):
        data = torch.load(path, weights_only=True)
        write_archive(path, made_periodic(data))
    update_stars(folder / "previews", [StarChange(frozenset({"recon_epoch0000_recon_00.wav"}), True)])


def made_periodic(value: Any) -> Any:
    """Return the contents of an archive with periodic large tensors; see the module's docstring."""
    if isinstance(value, dict):
        return {key: made_periodic(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(made_periodic(item) for item in value)
    if not isinstance(value, torch.Tensor) or value.numel() < LARGE or not value.is_floating_point():
        return value
    wave = (torch.arange(value.numel()) * 7 % PERIOD) / PERIOD * 2 - 1
    is_positive = bool((value >= 0).all())  # mean squares of gradients: none may become 0
    mean, spread = float(value.mean()), float(value.std())
    pattern = mean * (1 + 0.5 * wave) if is_positive else mean + spread * wave
    return pattern.reshape(value.shape).to(value.dtype)


def write_library(folder: Path, runs: Path, trash: Path) -> None:
    """Keep the models of all runs, say something of two of them, and delete a fourth one."""

    def move(path: Path) -> Path:
        trash.mkdir(exist_ok=True)
        return path.replace(trash / path.name)

    library = ModelLibrary(folder, move)
    entries = {family: library.add(runs / family / "model.distill") for family in CONFIGS}
    library.rename(entries["vae"], "Glocken, große")
    library.set_tags(entries["vae"], ["bell", "warm"])
    library.set_notes(entries["vae"], "Two lines\nof notes.")
    library.set_star(entries["complex_vae"], True)
    copy = folder / "copy.distill"
    shutil.copyfile(entries["vqvae"].path, copy)
    library.delete(copy)
    library.list()


def write_made(folder: Path, library: Path, sounds: list[Path]) -> None:
    """Make two new sounds and a transformed one; star the first, take the second off the list."""
    history = GeneratedHistory(folder / "history.jsonl")
    file = next(library.glob("complex_vae_*.distill"))
    model = open_model(file)
    made = [*make_new(model, file, 2, seed=5, temperature=0.8), transform_file(model, file, sounds[0], 0.75)]
    for number, sound in enumerate(made):
        kept = placed(sound)
        target = folder / f"sound {number}.wav"
        export_sound(target, sound.audio, ExportOptions("wav24"), kept.recipe.title(), kept.recipe.to_text())
        history.add([GeneratedEntry(target, kept.recipe)])
    history.set_star(placed(made[0]).recipe, True)
    history.forget(placed(made[1]).recipe)


def placed(made: GeneratedSound) -> GeneratedSound:
    """Return a generated sound whose recipe names no folder of this computer."""
    recipe = made.recipe
    source = f"SOUNDS/{Path(recipe.source).name}" if recipe.source else ""
    return GeneratedSound(
        made.audio, replace(recipe, model_file=f"LIBRARY/{Path(recipe.model_file).name}", source=source)
    )


def write_settings(runs: Path, sounds: Path, made: Path) -> None:
    """Open the window with preferences that are none of the defaults, and let it save them."""
    from PySide6.QtWidgets import QApplication

    from distill.gui.window.main_window import MainWindow

    making = {
        "count": 7, "temperature": 0.7, "mix": 40, "format": "flac24", "rate": 44_100, "stereo": True,
        "folder": str(made),
    }  # fmt: skip
    plots = {"shown": ["gap"], "log": True, "smoothing": 1, "hidden": {"loss": ["steps"]}}
    WindowSettings(
        sounds=[str(sounds)], recent=[str(sounds)], excluded=[str(sounds / "bell 2.wav")], hears_walking=False,
        run=str(runs / "vae"), family="vqvae", preset="balanced", epochs=77, advanced={"vae": {"batch_size": 3}},
        side_tab=1, page=1, making=making, appearance="dark", plots=plots, volume=0.25,
    ).save()  # fmt: skip
    app = QApplication.instance() or QApplication(["fixtures"])
    window = MainWindow()
    window.show()
    for _ in range(50):
        app.processEvents()
    window.transport.volume.setValue(40)
    window.save_settings()
    window.quit_now()
    while window.isVisible():
        app.processEvents()


def expected_values(library: Path) -> dict[str, Any]:
    """Return what the network of each kept model gives for a fixed input, by the model's file."""
    return {path.name: fixed_values(path) for path in sorted(library.glob("*.distill"))}


@torch.no_grad()
def fixed_values(path: Path) -> list[float]:
    """Return 32 numbers of the features that the model in a file decodes from fixed latents or codes."""
    network: Any = open_model(path).model
    if hasattr(network, "quantizer"):
        levels, size = network.quantizer.num_quantizers, network.quantizer.codebook_size
        positions = network.grid[0] * network.grid[1]
        features = network.decode((torch.arange(positions * levels) * 5 % size).reshape(1, positions, levels))
    else:
        features = network.decode(torch.linspace(-1, 1, network.latent_dim)[None])
    flat = features.flatten()
    return [float(value) for value in flat[torch.linspace(0, len(flat) - 1, 32).long()]]


def store(source: Path, target: Path, positions: dict[str, Path]) -> None:
    """Copy a tree: folders replaced by their names in JSON, large binaries compressed."""
    for path in sorted(source.rglob("*")):
        is_further_preview = path.parent.name == "previews" and path.stem.endswith(("_01", "_02"))
        if not path.is_file() or path.suffix == ".lock" or is_further_preview:
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".json", ".jsonl"):
            text = path.read_text(encoding="utf-8")
            for name, folder in positions.items():
                text = text.replace(folder.as_posix(), name)
            copy.write_text(text, encoding="utf-8", newline="\n")
        elif path.suffix in (".pt", ".distill", ".f32"):
            copy.with_name(f"{copy.name}.xz").write_bytes(lzma.compress(path.read_bytes(), preset=9))
        else:
            shutil.copyfile(path, copy)


def main() -> None:
    """Write the fixtures of this version."""
    target = DATA / f"v{__version__}"
    if target.exists():
        sys.exit(f"{target} is there already; files of a version are written once.")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve()
        os.environ |= {"DISTILL_HOME": str(home / "home"), "QT_QPA_PLATFORM": "offscreen"}
        folders = {key: home / key.lower() for key in ("SOUNDS", "RUNS", "LIBRARY", "MADE", "TRASH")}
        sounds = write_sounds(folders["SOUNDS"])
        for file in sounds:
            os.utime(file, ns=(1_700_000_000 * 10**9,) * 2)  # long enough ago to be remembered by the cache
        for family in CONFIGS:
            write_run(family, sounds, folders["RUNS"] / family)
        write_library(folders["LIBRARY"], folders["RUNS"], folders["TRASH"])
        write_made(folders["MADE"], folders["LIBRARY"], sounds)
        write_settings(folders["RUNS"], folders["SOUNDS"], folders["MADE"])
        cache = SoundCache(home / "decoded")
        cache.get(sounds[0])
        for key in ("SOUNDS", "RUNS", "LIBRARY", "MADE"):
            store(folders[key], target / key.lower(), folders)
        store(cache.folder, target / "decoded", folders)
        store(index_folder(folders["LIBRARY"]), target / "index", folders)
        store(home / "home" / "config", target, folders)
        values = json.dumps(expected_values(folders["LIBRARY"]), indent=1)
        (target / "expected.json").write_text(values + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
