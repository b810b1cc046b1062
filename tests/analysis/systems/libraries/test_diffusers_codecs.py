"""Stable Audio's autoencoder gives what diffusers gives by hand."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from analysis.systems.codec import wrap
from analysis.systems.libraries.diffusers_codecs import load_diffusers_codec
from analysis.systems.specs import Spec, load_system
from analysis.systems.system import SystemFault
from dcvae import load_vocoder
from dcvae.utils.files import files_sha256

CPU = torch.device("cpu")
HOP = 8


def oobleck(channels: int) -> Any:
    from diffusers import AutoencoderOobleck  # here: its import takes seconds of each worker

    torch.manual_seed(0)
    return AutoencoderOobleck(
        encoder_hidden_size=8, downsampling_ratios=[2, 4], channel_multiples=[1, 2],
        decoder_channels=4, decoder_input_channels=4, audio_channels=channels, sampling_rate=4000,
    ).eval()  # fmt: skip


def noise(samples: int) -> Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(samples)) / 10


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 2])
def test_equals_the_library(tmp_path: Path, channels: int) -> None:
    import diffusers

    model = oobleck(channels)
    model.save_pretrained(tmp_path)
    codec, identity = load_diffusers_codec(str(tmp_path), {}, "it", CPU)
    names = ("config.json", "diffusion_pytorch_model.safetensors")
    assert identity == {
        "files_sha256": files_sha256(*(tmp_path / name for name in names)),
        "diffusers": diffusers.__version__,
    }
    for samples in (1, HOP - 1, HOP, 3 * HOP + 5, 4001):
        wave = noise(samples)
        filled = functional.pad(wave, (0, -samples % HOP)).repeat(1, channels, 1)
        posterior = model.encode(filled).latent_dist
        latents = codec.encode(wave)
        torch.testing.assert_close(latents, posterior.mean[0])
        torch.testing.assert_close(codec.encode(wave), latents)  # nothing is drawn
        given = codec.decode(latents)
        torch.testing.assert_close(given, model.decode(posterior.mean).sample[0].mean(0))
        assert len(given) == filled.shape[2]
        changed = latents + torch.randn(latents.shape)
        expected = model.decode(changed[None]).sample[0].mean(0)
        torch.testing.assert_close(codec.decode(changed), expected)
        assert not torch.allclose(expected, given)


def test_rates(tmp_path: Path) -> None:
    oobleck(2).save_pretrained(tmp_path)
    system = wrap(*load_diffusers_codec(str(tmp_path), {}, "it", CPU))
    rates = system.rates
    assert (rates.sample_rate, rates.latent_rate, rates.dims) == (4000, 500, 4)
    assert rates.bits_per_second is rates.codebooks is None


def test_another_model_is_told(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    AutoencoderKL(block_out_channels=(32,)).save_pretrained(tmp_path)
    for options, said in (
        ("", f"{tmp_path} is no AutoencoderOobleck, but 'AutoencoderKL'"),
        ("?codebooks=2", "there is no option 'codebooks', of revision, subfolder"),
    ):
        text = f"diffusers:{tmp_path}{options}"
        with pytest.raises(SystemFault) as fault:
            load_system(Spec.parse(text), load_vocoder("griffin_lim"), CPU)
        assert str(fault.value) == f"{text}: {said}"


def test_a_folder_of_a_pipeline_has_it_inside(tmp_path: Path) -> None:
    oobleck(1).save_pretrained(tmp_path / "vae")
    spec = Spec.parse(f"Stable Audio=diffusers:{tmp_path}?subfolder=vae")
    system = load_system(spec, load_vocoder("griffin_lim"), CPU)
    assert system.rates.sample_rate == 4000
    assert spec.slug == "Stable-Audio"


def test_the_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oobleck(1).save_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ValueError, match=r"package diffusers is not installed: pip install '"):
        load_diffusers_codec(str(tmp_path), {}, "it", CPU)
