"""BigVGAN's files: what is missing, damaged or of another mel is told in one line; the hub."""

import json
import subprocess
import sys
import threading
import warnings
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

pytest.importorskip("bigvgan")

from dcvae import load_vocoder
from dcvae.audio.mel import N_MELS
from dcvae.vocoders.bigvgan import import_package
from dcvae.vocoders.bigvgan_files import CONFIG_NAME, HUB_NAME, WEIGHTS_NAME

CONFIG: dict[str, Any] = {  # a network as small as may be, of the published kind
    "resblock": "1",
    "sampling_rate": 22050,
    "n_fft": 1024,
    "win_size": 1024,
    "hop_size": 256,
    "num_mels": 80,
    "fmin": 0,
    "fmax": None,
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "activation": "snakebeta",
    "snake_logscale": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two files, whole and fitting."""
    package, folder = import_package(), tmp_path_factory.mktemp("bigvgan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        network = package.BigVGAN(package.env.AttrDict(CONFIG))
    (folder / CONFIG_NAME).write_text(json.dumps(CONFIG))
    torch.save({"generator": network.state_dict()}, folder / WEIGHTS_NAME)
    return folder


def put_files(target: Path, config: dict[str, Any], folder: Path) -> None:
    """This config, with the weights of that folder."""
    (target / CONFIG_NAME).write_text(json.dumps(config))
    (target / WEIGHTS_NAME).symlink_to(folder / WEIGHTS_NAME)


def fails_in_one_line(path: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_vocoder("bigvgan", path=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sampling_rate": 24000, "num_mels": 100},
            "sampling_rate 24000 .*, num_mels 100 instead",
        ),
        ({"fmax": 8000}, "fmax 8000 instead of null"),
        ({"hop_size": None}, "hop_size null instead of 256"),
        ({"upsample_rates": [8, 8, 8]}, r"makes 512 samples of a frame, not 256"),
        ({"activation": "relu"}, "describes no BigVGAN: .*activation"),
        ({"resblock_kernel_sizes": "many"}, "describes no BigVGAN"),
        ({"upsample_rates": None}, "describes no BigVGAN"),
        ({"upsample_initial_channel": 16}, r"does not fit its config\.json: .*, and \d+ more"),
    ],
    ids=["mel", "fmax", "hop", "rates", "activation", "kernels", "none", "channels"],
)
def test_a_config_that_does_not_fit_is_named(
    folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
):
    put_files(tmp_path, CONFIG | changes, folder)
    fails_in_one_line(tmp_path, message)


def test_fmax_may_be_said_in_hertz(folder: Path, tmp_path: Path):
    put_files(tmp_path, CONFIG | {"fmax": 11025.0}, folder)
    assert load_vocoder("bigvgan", path=tmp_path).context > 0


@pytest.mark.parametrize("content", ["{", "[]", "", "\x80"], ids=["cut", "list", "empty", "bytes"])
def test_a_damaged_config_is_named(folder: Path, tmp_path: Path, content: str):
    (tmp_path / CONFIG_NAME).write_bytes(content.encode("latin-1"))
    (tmp_path / WEIGHTS_NAME).symlink_to(folder / WEIGHTS_NAME)
    fails_in_one_line(tmp_path, r"config\.json (is damaged|must hold a mapping, not a list)")


def test_missing_files_are_named(folder: Path, tmp_path: Path):
    fails_in_one_line(tmp_path / "nowhere", r"nowhere has no config\.json: give the folder")
    fails_in_one_line(folder / WEIGHTS_NAME, r"generator\.pt has no config\.json: give the folder")
    (tmp_path / CONFIG_NAME).write_text(json.dumps(CONFIG))
    fails_in_one_line(tmp_path, r"has no bigvgan_generator\.pt: give the folder")


class Trap:
    """What unpickles by calling a function of the attacker's."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return Path.touch, (self.witness,)


def test_weights_that_are_not_this_networks_are_named(folder: Path, tmp_path: Path):
    state = torch.load(folder / WEIGHTS_NAME, weights_only=True)["generator"]
    (tmp_path / CONFIG_NAME).write_text(json.dumps(CONFIG))
    first = state["conv_pre.bias"]
    without = {name: value for name, value in state.items() if name != "conv_pre.bias"}
    for content, message in [
        ({"generator": without}, r"conv_pre\.bias is missing instead of \[8\]$"),
        ({"generator": {**state, "extra": first}}, r"extra is \[8\] instead of absent$"),
        ({"generator": {**state, "conv_pre.bias": first[:3]}}, r"bias is \[3\] instead of \[8\]"),
        ({"generator": {**state, "conv_pre.bias": "x"}}, r"'conv_pre\.bias' is no tensor"),
        ({"generator": {**state, 5: first}}, r"its 5 is no tensor"),
        ({"generator": {}}, r"is missing instead of .*more differ"),
        ({"discriminator": state}, "has no weights of a generator"),
        ([state], "holds a list, not a dict"),
        ({"generator": Trap(tmp_path / "sprung")}, "nothing of it was executed"),
    ]:
        torch.save(content, tmp_path / WEIGHTS_NAME)
        fails_in_one_line(tmp_path, message)
    assert not (tmp_path / "sprung").exists()
    whole = (folder / WEIGHTS_NAME).read_bytes()
    for cut in (0, 100, len(whole) // 2):
        (tmp_path / WEIGHTS_NAME).write_bytes(whole[:cut])
        fails_in_one_line(tmp_path, "is damaged")


def test_a_missing_package_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "bigvgan", None)
    fails_in_one_line(folder, r"pip install 'dcvae\[bigvgan\]'")


def test_dcvae_alone_imports_no_bigvgan():
    code = "import sys, dcvae; print({'bigvgan', 'librosa', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class Hub(BaseHTTPRequestHandler):
    """The hub's part of a download: where a file is, and what is in it."""

    folder: ClassVar[Path]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        content = (self.folder / Path(self.path).name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{len(content)}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub on this machine, with a cache of its own that is empty; call it to shut it down."""
    constants = pytest.importorskip("huggingface_hub").constants
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"folder": folder}))
    address = f"http://127.0.0.1:{server.server_address[1]}"
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()

    def shut() -> None:
        if thread.is_alive():
            server.shutdown()
            thread.join()
            server.server_close()

    yield shut
    shut()


def test_without_a_path_it_comes_from_the_hub_and_then_from_its_cache(hub, folder: Path):
    mel = torch.full((1, N_MELS, 8), -4.0)
    expected = load_vocoder("bigvgan", path=folder)(mel)
    assert torch.equal(load_vocoder("bigvgan")(mel), expected)
    hub()
    assert torch.equal(load_vocoder("bigvgan")(mel), expected)


@pytest.mark.parametrize("offline", [False, True], ids=["absent", "offline"])
def test_a_hub_that_is_not_there_is_one_line(
    hub, offline: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    hub()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    with pytest.raises(ValueError, match=f"{HUB_NAME} cannot be fetched .*path=FOLDER") as caught:
        load_vocoder("bigvgan")
    assert "\n" not in str(caught.value)
    assert "Retrying" not in caplog.text
