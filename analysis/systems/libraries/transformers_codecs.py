"""Speech codecs of the library transformers, by its own classes."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from analysis.systems.libraries.checkpoint_folder import CheckpointFolder, find_checkpoint
from analysis.systems.libraries.library_codec import LibraryCodec, load_model, needed
from analysis.systems.libraries.quantised_codecs import (
    Dac,
    Encodec,
    Mimi,
    QuantisedCodec,
    SemanticCodec,
    WavTokenizer,
)

OPTIONS = ("codebooks", "bandwidth", "revision", "subfolder")


class VibeVoice(LibraryCodec):
    """VibeVoice's acoustic tokenizer (Peng et al., 2025): continuous, here without its noise.

    Waves keep their loudness; its own feature extractor would bring them to one.
    """

    sample_rate_file = "preprocessor_config.json"  # the network's own file does not tell
    usual_rate = 24_000

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        rate = folder.read(self.sample_rate_file).get("sampling_rate", self.usual_rate)
        super().__init__(name, model, rate, model.config.hop_length, model.config.channels)

    def to_latents(self, values: Tensor) -> Tensor:
        return self.model.encode(values, sample=False).latents.transpose(1, 2)

    def to_wave(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents.transpose(1, 2)).audio


class PocketTTS(LibraryCodec):
    """The continuous tokenizer of Kyutai's Pocket TTS (2026): Mimi without codebooks."""

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sampling_rate, config.frame_size, config.audio_channels
        )

    def to_latents(self, values: Tensor) -> Tensor:
        return self.model.encode(values).latents.transpose(1, 2)

    def to_wave(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents.transpose(1, 2)).audio_values


CODECS: Mapping[str, tuple[str, type[Any]]] = {  # by config.json's model_type
    "encodec": ("EncodecModel", Encodec),
    "dac": ("DacModel", Dac),
    "mimi": ("MimiModel", Mimi),
    "xcodec": ("XcodecModel", SemanticCodec),
    "higgs_audio_v2_tokenizer": ("HiggsAudioV2TokenizerModel", SemanticCodec),
    "wavtokenizer": ("WavTokenizerModel", WavTokenizer),
    "vibevoice_acoustic_tokenizer": ("VibeVoiceAcousticTokenizerModel", VibeVoice),
    "pocket_tts_audio_tokenizer": ("PocketTTSAudioTokenizerModel", PocketTTS),
}


def load_transformers_codec(
    place: str, options: Mapping[str, str], name: str, device: torch.device
) -> tuple[LibraryCodec, Mapping[str, str]]:
    """The codec of a folder or of OWNER/NAME on the hub, and its identity.

    It holds the options and the library's version, beside what tells the weights from others.
    ValueError, in one line, where it cannot be had. Only classes of the library's own are used,
    never code that comes with weights.
    """
    with needed("transformers"):
        import transformers
    strange = [option for option in options if option not in OPTIONS]
    if strange:
        raise ValueError(f"there is no option {strange[0]!r}, of {', '.join(OPTIONS)}")
    folder = find_checkpoint(place, options.get("revision"), options.get("subfolder", ""))
    kind = str(folder.read().get("model_type"))
    if kind not in CODECS:
        raise ValueError(f"{folder.path} is no codec of {', '.join(CODECS)}, but {kind!r}")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        library_class = getattr(transformers, CODECS[kind][0])
        model = load_model(library_class.from_pretrained, str(folder.path), device)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{CODECS[kind][0]} cannot be used: {error}") from error
    codec: LibraryCodec = CODECS[kind][1](name, model, folder)
    choose_codebooks(codec, options)
    return codec, {**folder.identity, **options, "transformers": version("transformers")}


def choose_codebooks(codec: LibraryCodec, options: Mapping[str, str]) -> None:
    """As `codebooks` or `bandwidth` (kbit/s, one of the checkpoint's own) says; else all."""
    asked = {one: options[one] for one in ("codebooks", "bandwidth") if one in options}
    if not asked:
        return
    (option, text), *more = asked.items()
    if more:
        raise ValueError("codebooks and bandwidth both say how many codebooks: give one")
    if not isinstance(codec, QuantisedCodec):
        raise ValueError(f"{option}={text}: it has no codebooks")
    if option == "bandwidth":
        bands = [f"{band:g}" for band in getattr(codec.model.config, "target_bandwidths", ())]
        if text.removesuffix(".0") not in bands:
            had = ", ".join(bands) or "none: say codebooks"
            raise ValueError(f"bandwidth={text}: it has {had}")
        codec.use(codec.model.quantizer.get_num_quantizers_for_bandwidth(float(text)))
    elif not text.isdecimal():
        raise ValueError(f"codebooks={text}: it has 1 to {codec.available}")
    else:
        codec.use(int(text))
