"""Small random models of transformers' codecs, saved as their checkpoints are published."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

try:
    import transformers
except ImportError:  # an optional extra: the tests that need it are skipped
    transformers = None

SEANET: dict[str, Any] = {
    "num_filters": 4, "hidden_size": 8, "upsampling_ratios": [5, 4], "codebook_size": 16,
    "num_lstm_layers": 1,
}  # fmt: skip
ATTENTION: dict[str, Any] = {
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
    "intermediate_size": 16, "upsample_groups": 16,
}  # fmt: skip
HUBERT: dict[str, Any] = {
    "model_type": "hubert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "conv_dim": [8] * 7,
}  # fmt: skip
DAC: dict[str, Any] = {
    "model_type": "dac", "encoder_hidden_size": 2, "decoder_hidden_size": 32, "hidden_size": 16,
    "codebook_dim": 8,
}  # fmt: skip


def encodec(**options: Any) -> nn.Module:
    """400 latent frames a second of 8 dims; four codebooks of 4 bits."""
    rates = {"sampling_rate": 8000, "target_bandwidths": [1.6, 6.4]}
    return transformers.EncodecModel(transformers.EncodecConfig(**SEANET | rates | options))


def encodec_stereo() -> nn.Module:
    """As that of 48 kHz is: chunks of a second that overlap by a hundredth, each normalised."""
    return encodec(
        audio_channels=2, normalize=True, chunk_length_s=1.0, overlap=0.01,
        norm_type="time_group_norm", use_causal_conv=False,
    )  # fmt: skip


def dac() -> nn.Module:
    config = transformers.DacConfig(
        encoder_hidden_size=4, decoder_hidden_size=16, downsampling_ratios=[2, 5], n_codebooks=4,
        codebook_size=16, sampling_rate=16000,
    )  # fmt: skip
    return transformers.DacModel(config)


def mimi() -> nn.Module:
    config = transformers.MimiConfig(
        num_filters=4, hidden_size=16, upsampling_ratios=[5, 4], codebook_size=16, codebook_dim=8,
        vector_quantization_hidden_dimension=8, num_quantizers=4, sampling_rate=16000, **ATTENTION,
    )  # fmt: skip
    return transformers.MimiModel(config)


def xcodec() -> nn.Module:
    config = transformers.XcodecConfig(
        sample_rate=16000, codebook_size=16, codebook_dim=32, target_bandwidths=[0.2, 0.8],
        acoustic_model_config=DAC | {"downsampling_ratios": [8, 5, 4, 2]},
        semantic_model_config=HUBERT,
    )  # fmt: skip
    return transformers.XcodecModel(config)


def higgs() -> nn.Module:
    ratios = {"downsampling_ratios": [8, 5, 4, 2, 3], "upsampling_ratios": [8, 5, 4, 2, 3]}
    config = transformers.HiggsAudioV2TokenizerConfig(
        codebook_size=16, codebook_dim=8, target_bandwidths=[0.1, 0.4],
        acoustic_model_config=DAC | ratios, semantic_model_config=HUBERT,
    )  # fmt: skip
    return transformers.HiggsAudioV2TokenizerModel(config)


def wavtokenizer() -> nn.Module:
    config = transformers.WavTokenizerConfig(
        **SEANET, sampling_rate=8000, codebook_dim=8, decoder_hidden_size=64,
        decoder_intermediate_size=32, decoder_num_layers=1,
    )  # fmt: skip
    return transformers.WavTokenizerModel(config)


def vibevoice() -> nn.Module:
    config = transformers.VibeVoiceAcousticTokenizerConfig(
        hidden_size=8, num_filters=4, downsampling_ratios=[2, 5, 4], depths=[1, 1, 1, 1],
        layer_scale_init_value=1.0, initializer_range=0.3,
    )  # fmt: skip
    return transformers.VibeVoiceAcousticTokenizerModel(config)


def pocket_tts() -> nn.Module:
    config = transformers.PocketTTSAudioTokenizerConfig(
        num_filters=4, hidden_size=16, upsampling_ratios=[5, 4], latent_stride=4, latent_dim=8,
        sampling_rate=16000, **ATTENTION,
    )  # fmt: skip
    return transformers.PocketTTSAudioTokenizerModel(config)


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "encodec": encodec,
    "encodec_stereo": encodec_stereo,
    "dac": dac,
    "mimi": mimi,
    "xcodec": xcodec,
    "higgs": higgs,
    "wavtokenizer": wavtokenizer,
    "vibevoice": vibevoice,
    "pocket_tts": pocket_tts,
}


@pytest.fixture(scope="session")
def build_codec() -> Callable[[str], Any]:
    """A small random model by its kind."""
    return build


@pytest.fixture(scope="session")
def embed_codes() -> Callable[[str, Any, Tensor], Tensor]:
    """Kind, model and codes [K, L] to the sum [D, L] of the codes' embeddings."""
    return embedded


def build(kind: str) -> Any:
    """The model with random weights; codebooks too, which the library leaves at zero."""
    torch.manual_seed(0)
    model = BUILDERS[kind]().eval()
    for name, values in model.named_buffers():
        if name.endswith((".embed", "embed_sum")):
            values.normal_()
    return model


def embedded(kind: str, model: Any, codes: Tensor) -> Tensor:
    """The sum [D, L] of the embeddings of codes [K, L], looked up one by one."""
    if kind.startswith("encodec"):
        tables = [layer.codebook.embed for layer in model.quantizer.layers]
        found = [tables[k][one] for k, one in enumerate(codes)]
    elif kind == "dac":
        found = [
            model.quantizer.quantizers[k].codebook.weight[one]
            @ model.quantizer.quantizers[k].out_proj.weight[:, :, 0].T
            + model.quantizer.quantizers[k].out_proj.bias
            for k, one in enumerate(codes)
        ]
    elif kind == "mimi":
        first, others = (
            model.quantizer.semantic_residual_vector_quantizer,
            model.quantizer.acoustic_residual_vector_quantizer,
        )
        found = [first.layers[0].codebook.embed[codes[0]] @ first.output_proj.weight[:, :, 0].T]
        found += [
            others.layers[k].codebook.embed[one] @ others.output_proj.weight[:, :, 0].T
            for k, one in enumerate(codes[1:])
        ]
    elif kind == "wavtokenizer":
        found = [model.encoder_model.quantizer.codebook.embed[codes[0]]]
    else:
        layers = model.quantizer.quantizers
        found = [
            layers[k].project_out(layers[k].codebook.embed[one])
            if kind == "higgs"
            else layers[k].codebook.embed[one]
            for k, one in enumerate(codes)
        ]
    return torch.stack(found).sum(0).T
