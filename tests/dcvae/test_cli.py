import numpy as np
import pytest
import soundfile
import torch

from dcvae import SpeechAutoencoder
from dcvae.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "last"
    SpeechAutoencoder(
        channels=[8, 8, 8, 16, 16], encoder_layers=[0, 1, 1, 1, 1], decoder_layers=[0, 1, 1, 1, 1]
    ).save_pretrained(folder)
    return folder


def wave(path, samples: int, rate: int, channels: int = 1, level: float = 0.1):
    noise = np.random.default_rng(0).normal(0, level, (samples, channels))
    soundfile.write(path, noise, rate)
    return path


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(22050, 1, 1.0), (16000, 2, 0.7), (8000, 1, 0.25), (128000, 1, 0.5)],
)
def test_every_rate_and_layout_comes_out_at_its_length(tmp_path, model, rate, channels, seconds):
    source = wave(tmp_path / "in.wav", round(seconds * rate), rate, channels)
    main(["reconstruct", str(source), str(tmp_path / "out.wav"), "--model", str(model)])
    output = soundfile.info(tmp_path / "out.wav")
    assert (output.samplerate, output.channels) == (22050, 1)
    assert output.frames == pytest.approx(seconds * 22050, abs=1)


def bad_inputs(folder):
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no audio at all")
    (folder / "folder.wav").mkdir()
    wave(folder / "silent.wav", 22050, 22050, level=0.0)
    wave(folder / "short.wav", 500, 22050)
    return {
        "missing.wav": "no such audio file",
        "empty.wav": "empty",
        "text.wav": "cannot be decoded",
        "folder.wav": "folder",
        "silent.wav": "silent",
        "short.wav": "shorter than 46 ms",
    }


def test_bad_input_is_one_line_status_2_and_no_output(tmp_path, model, capfd):
    for name, words in bad_inputs(tmp_path).items():
        with pytest.raises(SystemExit) as stopped:
            main(
                [
                    "reconstruct",
                    str(tmp_path / name),
                    str(tmp_path / "o.wav"),
                    "--model",
                    str(model),
                ]
            )
        errors = [line for line in capfd.readouterr().err.splitlines() if "dcvae:" in line]
        assert stopped.value.code == 2
        assert len(errors) == 1
        assert words in errors[0]
        assert name in errors[0]
        assert not (tmp_path / "o.wav").exists()


def test_a_folder_without_a_model_is_named(tmp_path, capfd):
    source = wave(tmp_path / "in.wav", 22050, 22050)
    with pytest.raises(SystemExit) as stopped:
        main(["reconstruct", str(source), str(tmp_path / "o.wav"), "--model", str(tmp_path)])
    assert stopped.value.code == 2
    assert f"{tmp_path} is no checkpoint folder" in capfd.readouterr().err
