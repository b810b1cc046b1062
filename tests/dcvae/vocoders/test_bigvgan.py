"""BigVGAN against its own package, with random weights in the published format."""

import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("bigvgan")

from dcvae import LogMel, load_vocoder
from dcvae.audio.mel import HOP, N_MELS
from dcvae.vocoders import BigVGAN, Vocoder
from dcvae.vocoders.bigvgan import (
    build_network,
    fold_weight_norm,
    import_package,
    receptive_field,
)
from dcvae.vocoders.bigvgan_files import CONFIG_NAME, WEIGHTS_NAME

CONFIG: dict[str, Any] = {  # the published one, but for the number of channels
    "resblock": "1",
    "sampling_rate": 22050,
    "n_fft": 1024,
    "win_size": 1024,
    "hop_size": 256,
    "num_mels": 80,
    "fmin": 0,
    "fmax": None,
    "upsample_rates": [4, 4, 2, 2, 2, 2],
    "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 64,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "activation": "snakebeta",
    "snake_logscale": True,
    "use_tanh_at_final": False,
    "use_bias_at_final": False,
}


# What float32 leaves: 6 stages of 6 convolutions in a row, each a sum of up to 64 x 11 products,
# whose roundings add up as a random walk: sqrt(36 x 704) eps of the largest sample, times ten for
# what the activations' sines make of them. Weights that differ by half's rounding give 1e-3.
ROUNDING = 10 * math.sqrt(36 * 704) * torch.finfo(torch.float32).eps  # 1.9e-4


def assert_same_wave(wave: Tensor, expected: Tensor, tolerance: float = ROUNDING) -> None:
    assert wave.shape == expected.shape
    assert (wave - expected).abs().max() < tolerance * expected.abs().max()


@pytest.fixture(autouse=True)  # networks as small as these are faster so
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_network(seed: int = 0, **changes: object) -> nn.Module:
    """The package's own network, with weights that keep the wave of speech within +-1."""
    package = import_package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        network = package.BigVGAN(package.env.AttrDict(CONFIG | changes)).eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("weight_g"):
                value.copy_(torch.rand(value.shape, generator=draw) / 2 + 0.25)
            elif name.endswith("weight_v"):
                value.copy_(torch.randn(value.shape, generator=draw))
            else:  # biases, and the activations' frequencies and sizes
                value.copy_(torch.randn(value.shape, generator=draw) * 0.1)
    return network


def save(folder: Path, network: nn.Module, **changes: object) -> Path:
    """Write the two files as they are published."""
    folder.mkdir(exist_ok=True)
    (folder / CONFIG_NAME).write_text(json.dumps(CONFIG | changes))
    torch.save({"generator": network.state_dict()}, folder / WEIGHTS_NAME)
    return folder


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return make_network()


@pytest.fixture(scope="module")
def folder(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("bigvgan"), network)


@pytest.fixture(scope="module")
def vocoder(folder: Path) -> BigVGAN:
    loaded = load_vocoder("bigvgan", path=folder)
    assert isinstance(loaded, BigVGAN)
    return loaded


@pytest.fixture
def mel(speech: Tensor) -> Tensor:
    return LogMel()(speech[:2])


def test_the_wave_is_the_networks_own(network: nn.Module, vocoder: BigVGAN, mel: Tensor):
    with torch.no_grad():
        expected = network(mel)[:, 0]
    wave = vocoder(mel)
    assert wave.shape == (2, mel.shape[2] * HOP)
    assert 0.01 < float(expected.abs().max()) < 1, "a clamped or silent wave would prove nothing"
    assert_same_wave(wave, expected)


def test_weights_without_weight_norm_load_too(vocoder: BigVGAN, mel: Tensor, tmp_path: Path):
    plain = make_network()
    fold_weight_norm(plain)
    assert not any("weight_g" in name for name in plain.state_dict())
    other = BigVGAN(save(tmp_path / "plain", plain))
    assert_same_wave(other(mel[:1]), vocoder(mel[:1]))


def test_loading_leaves_no_trace(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Nothing is printed or warned of; random numbers and matplotlib's backend stay."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "backend", "svg")
    for name in [name for name in sys.modules if name.split(".")[0] == "bigvgan"]:
        monkeypatch.delitem(sys.modules, name)
    before = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vocoder = BigVGAN(folder)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert matplotlib.rcParams["backend"] == "svg"
    assert not any("weight_g" in name for name in vocoder.state_dict())
    assert not any(one.requires_grad for one in vocoder.parameters())
    assert not vocoder.network.training


def test_the_front_end_is_the_packages_own(speech: Tensor, assert_same_mel):
    package = import_package()
    theirs = package.get_mel_spectrogram(speech, package.env.AttrDict(CONFIG))
    assert_same_mel(LogMel()(speech), theirs, speech, computations=2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resblock": "2"},
        {
            "upsample_rates": [8, 8, 4],
            "upsample_kernel_sizes": [16, 10, 4],
            "resblock_kernel_sizes": [3, 5],
            "resblock_dilation_sizes": [[1], [2, 3]],
        },
    ],
    ids=["published", "resblock2", "three_stages"],
)
def test_context_is_where_the_gradient_ends(changes: dict[str, Any]):
    context = receptive_field(CONFIG | changes)
    network = make_network(**changes).double()
    frames = 2 * context + 9
    mel = torch.randn(1, N_MELS, frames, dtype=torch.float64, requires_grad=True)
    middle = frames // 2
    samples = network(mel)[0, 0, middle * HOP : (middle + 1) * HOP]
    (gradient,) = torch.autograd.grad(samples.sum(), mel)
    affected = (gradient[0].abs().sum(0) > 0).nonzero()[:, 0] - middle
    assert int(affected.abs().max()) == context


def test_no_sample_further_away_than_context_changes(vocoder: BigVGAN):
    context, frames = vocoder.context, 100
    mel = torch.randn(1, N_MELS, frames, generator=torch.Generator().manual_seed(1)) - 5
    louder = mel.clone()
    louder[..., 50] += 3
    change = (vocoder(louder) - vocoder(mel)).reshape(frames, HOP).abs().amax(1)
    far = [frame for frame in range(frames) if abs(frame - 50) > context]
    assert far
    assert float(change[far].max()) == 0
    reached = (change > 0).nonzero()[:, 0] - 50
    assert context <= 2 * int(reached.abs().max())


def test_windows_with_their_context_are_the_whole(vocoder: BigVGAN):
    context, size, frames = vocoder.context, 24, 120
    mel = torch.randn(1, N_MELS, frames, generator=torch.Generator().manual_seed(2)) - 5
    pieces = []
    for start in range(0, frames, size):
        left = max(0, start - context)
        wave = vocoder(mel[..., left : start + size + context])
        pieces.append(wave[:, (start - left) * HOP : (start - left + size) * HOP])
    assert_same_wave(torch.cat(pieces, 1), vocoder(mel))


def test_a_clip_does_not_depend_on_its_batch(vocoder: BigVGAN, mel: Tensor):
    assert_same_wave(vocoder(mel)[1:], vocoder(mel[1:]))


def test_precision_is_the_devices(folder: Path, mel: Tensor):
    """Float32 on a CPU whatever is asked for; half elsewhere (a device without values here)."""
    vocoder = BigVGAN(folder)
    expected = vocoder(mel[:1])
    vocoder.half()
    assert {value.dtype for value in vocoder.state_dict().values()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        wave = vocoder(mel[:1])
    assert wave.dtype == torch.float32
    torch.testing.assert_close(wave, expected, atol=2e-3, rtol=0)  # the weights were half once
    assert vocoder(mel[:1].bfloat16()).dtype == torch.float32
    vocoder.to("meta")
    assert {value.dtype for value in vocoder.state_dict().values()} == {torch.float16}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_half_precision_on_a_gpu_and_back(folder: Path, vocoder: BigVGAN, mel: Tensor):
    moved = BigVGAN(folder).to("cuda")
    assert next(moved.parameters()).dtype == torch.float16
    wave = moved(mel.cuda())
    assert wave.dtype == torch.float32
    torch.testing.assert_close(wave.cpu(), vocoder(mel), atol=1e-2, rtol=0)
    torch.testing.assert_close(moved.cpu()(mel), vocoder(mel), atol=2e-3, rtol=0)


def test_loaded_in_inference_mode_it_works_outside(folder: Path, vocoder: BigVGAN, mel: Tensor):
    with torch.inference_mode():
        inside = BigVGAN(folder)
    assert_same_wave(inside.to("cpu")(mel[:1]), vocoder(mel[:1]))


def test_no_gradient_is_kept(vocoder: BigVGAN, mel: Tensor):
    assert not vocoder(mel[:1, :, :4].requires_grad_()).requires_grad


def test_wrong_mels_are_named(vocoder: BigVGAN):
    assert isinstance(vocoder, Vocoder)
    for shape in ([80, 5], [1, 100, 5], [1, 80, 0]):
        with pytest.raises(ValueError, match=r"bigvgan takes a mel of shape \[B, 80, F\], not \["):
            vocoder(torch.zeros(shape))


def test_published_size():
    """112M parameters, as its authors say, and a reach of less than half a second."""
    config = CONFIG | {"upsample_initial_channel": 1536}
    network = build_network(import_package(), config, Path(CONFIG_NAME))
    fold_weight_norm(network)
    assert math.isclose(sum(one.numel() for one in network.parameters()), 112e6, rel_tol=0.01)
    assert receptive_field(config) * HOP / 22050 < 0.5
