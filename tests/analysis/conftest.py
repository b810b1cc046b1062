"""Small runs and subjects around an untrained model, on real speech."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from analysis.context import EvalContext
from analysis.resources import Options, Resources
from analysis.runs import find_run
from analysis.stores.tensor_cache import TensorCache
from dcvae import SpeechAutoencoder, load_vocoder
from dcvae.audio.io import read_audio, write_audio
from dcvae.data.manifest import Clip, read_manifest, select_clips, write_manifest
from dcvae.utils.threads import torch_threads

DATA = Path(__file__).parents[1] / "data" / "manifest.csv"
TINY = {"channels": (8,) * 5, "latent_channels": 8, "encoder_layers": (1,) * 5}
VOCODER = {"name": "griffin_lim", "iterations": 2}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are no faster on two, and far slower where something else runs."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., SpeechAutoencoder]:
    def build(**options: object) -> SpeechAutoencoder:
        torch.manual_seed(0)
        return SpeechAutoencoder(**{**TINY, "decoder_layers": (1,) * 5, **options}).eval()

    return build


@pytest.fixture(scope="session")
def make_run(tiny_model) -> Callable[..., Path]:
    """A finished run folder around an untrained model."""

    def make(root: Path, manifest: Path, ablation: str, **options: object) -> Path:
        folder = root / "debug" / ablation / "seed0"
        tiny_model(**options).save_pretrained(folder / "last")
        described = {
            "ablation": ablation,
            "size": "debug",
            "seed": 0,
            "status": "finished",
            "steps": 2,
            "claim": None,
            "manifest": str(manifest),
            "config": {"vocoder": {"_target_": "dcvae.load_vocoder", **VOCODER}},
        }
        (folder / "run.json").write_text(json.dumps(described))
        return folder

    return make


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of ten spoken clips of two seconds or less, labelled, all in the test split."""
    folder = tmp_path_factory.mktemp("spoken")
    clips = []
    for number, clip in enumerate(read_manifest(DATA)):
        wave = read_audio(clip.path, stop=2.0)
        path = folder / f"{number}.wav"
        write_audio(path, wave, 22050)
        labels = (clip.speaker, clip.language, clip.text, "test")
        clips.append(Clip(path, len(wave) / 22050, 22050, *labels))
    write_manifest(folder / "manifest.csv", clips)
    return folder / "manifest.csv"


@pytest.fixture
def make_context(make_run, tmp_path: Path) -> Iterator[Callable[..., EvalContext]]:
    """What an evaluator measures: a run on the manifest, its first `count` clips."""
    made: list[EvalContext] = []
    own = ExitStack()  # a test may give a context other resources, which are not closed here

    def make(manifest: Path, count: int = 10, **options: object) -> EvalContext:
        run = find_run(make_run(tmp_path, manifest, "baseline", **options))
        vocoder = load_vocoder(**VOCODER)
        system = run.load(vocoder, torch.device("cpu"))
        clips = select_clips(read_manifest(manifest), "test", count)
        options = Options(whisper="bundled-en")
        resources = own.enter_context(Resources(torch.device("cpu"), options))
        made.append(EvalContext(run, system, vocoder, clips, resources, TensorCache()))
        return made[-1]

    with own:
        yield make
    for context in made:
        context.cache.close()
