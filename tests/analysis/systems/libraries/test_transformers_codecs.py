"""Codecs of transformers give what the library gives by hand: codes, latents and waves."""

import importlib.util
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from analysis.batching import Sample, read_batches
from analysis.cli import main
from analysis.outputs.table import read_table, summarise
from analysis.systems.codec import at_rate, fit, wrap
from analysis.systems.libraries.library_codec import LibraryCodec
from analysis.systems.libraries.transformers_codecs import CODECS, load_transformers_codec
from analysis.systems.specs import Spec, load_system
from analysis.systems.system import SystemFault
from dcvae import load_vocoder
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.data.manifest import read_manifest
from dcvae.utils.files import files_sha256

pytest.importorskip("transformers")

Build = Callable[[str], Any]
Embed = Callable[[str, Any, Tensor], Tensor]
CPU = torch.device("cpu")
ROUNDING = 1e-5  # of float32 sums in another order
# samples a latent frame, codebooks and bits a second, by hand from the models' sizes
RATES = {
    "encodec": (20, 4, 4 * 4 * 400),
    "encodec_stereo": (20, 4, 4 * 4 * 400 / 0.99),  # a hundredth is coded twice
    "dac": (10, 4, 4 * 4 * 1600),
    "mimi": (40, 4, 4 * 4 * 400),
    "xcodec": (320, 4, 4 * 4 * 50),
    "higgs": (960, 4, 4 * 4 * 25),
    "wavtokenizer": (20, 1, 4 * 400),
    "vibevoice": (40, None, None),
    "pocket_tts": (80, None, None),
}
HIGGS = "higgs"
KINDS = [
    pytest.param(
        kind,
        marks=pytest.mark.skipif(
            kind == HIGGS and importlib.util.find_spec("torchaudio") is None,
            reason="the library's class needs torchaudio",
        ),
    )
    for kind in RATES
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    """The models as they were asked for, each with its folder."""
    return {}


@pytest.fixture
def model_and_folder(request, saved, tmp_path_factory, build_codec) -> tuple[str, Any, Path]:
    kind = request.param
    if kind not in saved:
        folder = tmp_path_factory.mktemp(kind)
        saved[kind] = build_codec(kind), folder
        saved[kind][0].save_pretrained(folder)
    return kind, *saved[kind]


@pytest.fixture
def encodec_folder(tmp_path: Path, build_codec) -> Path:
    build_codec("encodec").save_pretrained(tmp_path / "encodec")
    return tmp_path / "encodec"


def loaded(folder: Path, **options: str) -> LibraryCodec:
    return load_transformers_codec(str(folder), options, "it", CPU)[0]


def noise(samples: int) -> Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(samples)) / 10


@torch.no_grad()
def by_hand(kind: str, model: Any, wave: Tensor, hop: int) -> tuple[Tensor | None, Tensor]:
    """Codes [K, L] and the wave that the library gives for a wave."""
    values = wave.expand(1, 2 if kind == "encodec_stereo" else 1, -1)
    if kind.startswith("encodec"):
        out = model(values, bandwidth=6.4)
        codes = out.audio_codes
        pad = model.encode(values, bandwidth=6.4).last_frame_pad_length
        joined = torch.cat(list(codes[:, 0]), -1)
        return joined[:, : joined.shape[1] - pad], out.audio_values[0].mean(0)
    if kind in ("mimi", "wavtokenizer"):
        out = model(values)
        return out.audio_codes[0], out.audio_values.reshape(-1)
    filled = functional.pad(values, (0, -len(wave) % hop))
    if kind == "vibevoice":
        return None, model(filled, sample=False).audio.reshape(-1)
    out = model(filled)
    return getattr(out, "audio_codes", [None])[0], out.audio_values.reshape(-1)


@pytest.mark.parametrize("model_and_folder", KINDS, indirect=True)
def test_equals_the_library(model_and_folder: tuple[str, Any, Path], embed_codes: Embed) -> None:
    """At lengths below a latent frame, of whole ones, between, and of several chunks."""
    kind, model, folder = model_and_folder
    codec, hop = loaded(folder), RATES[kind][0]
    assert codec.hop == hop
    for samples in (1, hop - 1, hop, 3 * hop + 5, codec.sample_rate + 13):
        wave = noise(samples)
        codes, expected_wave = by_hand(kind, model, wave, hop)
        latents = codec.encode(wave)
        if codes is not None:
            own = latents[:-1] if kind == "encodec_stereo" else latents
            expected = embed_codes(kind, model, codes)
            torch.testing.assert_close(own, expected, rtol=ROUNDING, atol=ROUNDING)
        given = codec.decode(latents)
        assert abs(len(given) - samples) <= hop
        error = float((given[: len(expected_wave)] - expected_wave).abs().max())
        assert error <= 10 * ROUNDING * float(given.abs().max())  # through all layers


@pytest.mark.parametrize("model_and_folder", KINDS, indirect=True)
def test_rates(model_and_folder: tuple[str, Any, Path]) -> None:
    kind, _, folder = model_and_folder
    hop, codebooks, bits = RATES[kind]
    system = wrap(loaded(folder), {})
    assert (system.rates.codebooks, system.rates.bits_per_second) == (
        codebooks,
        None if bits is None else pytest.approx(bits),
    )
    chunked = 0.99 if kind == "encodec_stereo" else 1
    assert system.rates.latent_rate == pytest.approx(system.rates.sample_rate / hop / chunked)


@pytest.mark.parametrize("model_and_folder", KINDS, indirect=True)
def test_changed_latents_are_decoded(model_and_folder: tuple[str, Any, Path]) -> None:
    """As they are: between two embeddings the wave moves as the latents do."""
    _, _, folder = model_and_folder
    codec = loaded(folder)
    latents = codec.encode(noise(codec.sample_rate))
    clean = codec.decode(latents)
    change = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    apart = [
        float((codec.decode(latents + size * change) - clean).abs().mean()) for size in (1e-3, 1e-1)
    ]
    assert 0 < apart[0] < apart[1] < math.inf


def test_the_level_of_a_chunk_is_a_latent_channel(tmp_path: Path, build_codec: Build) -> None:
    build_codec("encodec_stereo").save_pretrained(tmp_path)
    codec = loaded(tmp_path)
    wave = torch.cat([noise(8000), noise(8000) / 8])
    latents = codec.encode(wave)
    level = wave[:8000].square().mean().sqrt().log()
    torch.testing.assert_close(latents[-1, 0], level, rtol=1e-4, atol=1e-4)
    louder = torch.cat([latents[:-1], latents[-1:] + math.log(2)])
    torch.testing.assert_close(codec.decode(louder), 2 * codec.decode(latents))


@torch.no_grad()
def test_fewer_codebooks_are_those_that_the_library_takes(
    tmp_path: Path, build_codec: Build, embed_codes: Embed
) -> None:
    wave = noise(16000)
    for kind, options, keywords in (
        ("encodec", {"bandwidth": "1.6"}, {"bandwidth": 1.6}),
        ("encodec", {"codebooks": "1"}, {"bandwidth": 1.6}),
        ("dac", {"codebooks": "3"}, {"n_quantizers": 3}),
        ("mimi", {"codebooks": "2"}, {"num_quantizers": 2}),
        ("mimi", {"codebooks": "1"}, {"num_quantizers": 1}),
        ("xcodec", {"bandwidth": "0.2"}, {"bandwidth": 0.2}),
    ):
        model = build_codec(kind)
        model.save_pretrained(tmp_path / kind)
        codec = loaded(tmp_path / kind, **options)
        codes = model.encode(wave[None, None], **keywords).audio_codes
        codes = codes[0, 0] if kind == "encodec" else codes[0]
        assert codec.codebooks == len(codes)
        assert codec.bits_per_second == RATES[kind][2] * len(codes) / 4
        expected = embed_codes(kind, model, codes)
        torch.testing.assert_close(codec.encode(wave), expected, rtol=ROUNDING, atol=ROUNDING)


def test_a_system_takes_speech_at_the_codecs_rate(encodec_folder: Path, spoken: Path) -> None:
    codec = loaded(encodec_folder)
    system = wrap(codec, {})
    samples: list[Sample] = next(iter(read_batches(read_manifest(spoken)[:2], {})))
    for sample, given in zip(samples, system.reconstruct(samples).waves, strict=True):
        assert len(given) == sample.frames * HOP == len(sample.wave)
        taken = at_rate(sample.wave, SAMPLE_RATE, 8000)
        expected = at_rate(fit(codec.decode(codec.encode(taken)), len(taken)), 8000, SAMPLE_RATE)
        torch.testing.assert_close(given, fit(expected, len(sample.wave)), rtol=0, atol=1e-6)


def test_identity_is_that_of_the_files(encodec_folder: Path) -> None:
    _, identity = load_transformers_codec(str(encodec_folder), {}, "it", CPU)
    files = [encodec_folder / name for name in ("config.json", "model.safetensors")]
    assert identity == {
        "files_sha256": files_sha256(*files),
        "transformers": pytest.importorskip("transformers").__version__,
    }
    _, fewer = load_transformers_codec(str(encodec_folder), {"codebooks": "2"}, "it", CPU)
    assert fewer == {**identity, "codebooks": "2"}


def test_a_snapshot_of_the_hubs_cache_is_known_by_its_commit(
    encodec_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody is there
    kept, commit = tmp_path / "cache" / "models--someone--codec", "0123456789" * 4
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    (kept / "snapshots").mkdir()
    encodec_folder.rename(kept / "snapshots" / commit)
    codec, identity = load_transformers_codec("someone/codec", {}, "it", CPU)
    assert codec.sample_rate == 8000
    assert identity.items() >= {"hub": "someone/codec", "commit": commit}.items()
    with pytest.raises(SystemFault) as fault:
        load_system(Spec.parse("transformers:someone/else"), load_vocoder("griffin_lim"), CPU)
    assert "transformers:someone/else: someone/else is no folder and cannot" in str(fault.value)
    assert "\n" not in str(fault.value)


def fault_of(text: str) -> str:
    with pytest.raises(SystemFault) as fault:
        load_system(Spec.parse(text), load_vocoder("griffin_lim"), CPU)
    assert str(fault.value).startswith(f"{text}: ")
    assert "\n" not in str(fault.value)
    return str(fault.value).removeprefix(f"{text}: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("?books=2", "there is no option 'books', of codebooks, bandwidth, revision, subfolder"),
        ("?codebooks=5", "codebooks=5: it has 1 to 4"),
        ("?codebooks=0", "codebooks=0: it has 1 to 4"),
        ("?codebooks=two", "codebooks=two: it has 1 to 4"),
        ("?bandwidth=2", "bandwidth=2: it has 1.6, 6.4"),
        ("?bandwidth=wide", "bandwidth=wide: it has 1.6, 6.4"),
        ("?bandwidth=1.6&codebooks=1", "codebooks and bandwidth both say how many codebooks: "),
        ("?revision=main", "is a folder, which has no revision 'main'"),
        ("?subfolder=vae", "vae has no config.json"),
    ],
)
def test_options_that_do_not_fit_are_told(encodec_folder: Path, options: str, said: str) -> None:
    assert said in fault_of(f"transformers:{encodec_folder}{options}")


def test_continuous_codecs_have_no_codebooks(tmp_path: Path, build_codec: Build) -> None:
    build_codec("vibevoice").save_pretrained(tmp_path)
    assert fault_of(f"transformers:{tmp_path}?codebooks=2") == "codebooks=2: it has no codebooks"


def test_folders_that_do_not_fit_are_told(encodec_folder: Path, tmp_path: Path) -> None:
    spec = f"transformers:{encodec_folder}"
    weights, config = encodec_folder / "model.safetensors", encodec_folder / "config.json"
    whole, said = weights.read_bytes(), json.loads(config.read_text())
    weights.write_bytes(whole[:1000])
    assert "cannot be loaded" in fault_of(spec)
    weights.write_bytes(whole)
    config.write_text(json.dumps(said | {"num_residual_layers": 2}))
    assert "no fitting weights for" in fault_of(spec)
    config.write_text(json.dumps(said | {"model_type": "bert"}))
    assert f"is no codec of {', '.join(CODECS)}, but 'bert'" in fault_of(spec)
    config.write_text("{")
    assert "config.json is damaged" in fault_of(spec)
    weights.rename(encodec_folder / "pytorch_model.bin")
    assert "has pytorch_model.bin, which is a pickle and not read" in fault_of(spec)
    config.unlink()
    assert "has no config.json" in fault_of(spec)
    assert "is neither a folder nor a name OWNER/NAME" in fault_of(f"transformers:{tmp_path}/none")


def test_the_missing_library_is_told(encodec_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = fault_of(f"transformers:{encodec_folder}")
    assert said == "the package transformers is not installed: pip install 'dcvae[codecs]'"


def test_the_missing_needs_of_a_class_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("torchaudio") is not None:
        pytest.skip("torchaudio is here")
    (tmp_path / "config.json").write_text('{"model_type": "higgs_audio_v2_tokenizer"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "torchaudio" in fault_of(f"transformers:{tmp_path}")


def test_a_folder_is_scored_from_the_command_line(
    encodec_folder: Path, spoken: Path, tmp_path: Path
) -> None:
    main(
        ["--system", f"transformers:{encodec_folder}?codebooks=2", "--manifest", str(spoken),
         "--out", str(tmp_path / "peers"), "--only", "quality,latent_noise", "--clips", "2",
         "--robustness-clips", "2", "--device", "cpu", "--no-study"]
    )  # fmt: skip
    folder = tmp_path / "peers" / "encodec-2-codebooks" / "seed0"
    record = json.loads((folder / "run.json").read_text())
    assert record["rates"]["bits_per_second"] == 2 * 4 * 400
    assert record["rates"]["codebooks"] == 2
    summary = summarise(read_table(folder / "analysis" / "table.csv"))
    found = summary.set_index(["condition", "metric"])
    assert found.loc[("reconstruction", "stoi"), "n_scored"] == 2
    noisy = found.loc[("latent_noise_0.5", "mel_l1")]
    assert (noisy["n_scored"], noisy["n_failed"]) == (2, 0)
    assert noisy["mean"] != found.loc[("reconstruction", "mel_l1"), "mean"]
