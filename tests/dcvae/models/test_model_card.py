"""The card as Hugging Face's own parser and a plain YAML reader see it, without the network."""

import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

from dcvae import SpeechAutoencoder
from dcvae.data.provenance import Corpus, Evaluation, Score, Training
from dcvae.models.model_card import model_card
from dcvae.models.pretrained import checkpoint_sha256

ROOT = Path(__file__).parents[3]
CORPUS = Corpus("debian_speech", "manifest-1.csv", 4707, 4.8, ["cs", "no", "Klingon"], 9)
TRAINING = Training("tiny", "baseline", 0, 600, 700, "no", "a processor | of two", "abc", CORPUS)
SCORES = [
    Score("pesq_wb", "PESQ-wb ↑", 1.43512, 1.368, 1.506, 40, 0, 3.484, 4.644),
    Score("dwer", "dWER ↓", math.nan, math.nan, math.nan, 0, 40),
]
EVALUATION = Evaluation("test", "griffin_lim", SCORES)


@pytest.fixture(scope="module")
def model() -> SpeechAutoencoder:
    """The published shape with few channels."""
    torch.manual_seed(0)
    layers = [0, 1, 1, 1, 1]
    return SpeechAutoencoder(channels=[16] * 5, encoder_layers=layers, decoder_layers=layers)


def load(folder: Path, text: str) -> ModelCard:
    (folder / "README.md").write_text(text, encoding="utf-8")
    return ModelCard.load(folder / "README.md")


def table(text: str) -> dict[str, list[str]]:
    """The cells of every table row by the first."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}


def test_the_hub_reads_the_head(tmp_path, model):
    card = load(tmp_path, model_card(model, TRAINING, EVALUATION))
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "dcvae"
    assert card.data.pipeline_tag == "audio-to-audio"
    assert card.data.language == ["cs", "no"]  # ISO codes alone, and Norwegian is no False
    (result,) = card.data.eval_results  # what was not measured is none
    assert card.data.model_name == "tiny/baseline/seed0"
    assert (result.metric_type, result.metric_name) == ("pesq_wb", "PESQ-wb")
    assert result.metric_value == pytest.approx(1.4351)
    assert (result.dataset_name, result.dataset_split) == ("debian_speech", "test")
    assert "{{" not in card.text


def test_the_head_is_plain_yaml(model):
    _, head, _ = model_card(model, TRAINING, EVALUATION).split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["language"] == ["cs", "no"]
    assert fields["model-index"][0]["results"][0]["metrics"] == [
        {"type": "pesq_wb", "value": 1.4351, "name": "PESQ-wb"}
    ]


def test_the_text_has_the_facts(model):
    text = model_card(model, TRAINING, EVALUATION)
    rows = table(text)
    assert rows["floats a second"] == ["430.7"]  # 22050 / 256 / 16 * 80
    assert rows["latent frames a second"] == ["5.383"]
    assert rows["floats a latent frame"] == ["16 channels x 5 bins = 80"]
    assert rows["parameters"] == [f"{sum(p.numel() for p in model.parameters()):,}"]
    assert rows["step"] == ["600 of 700"]
    assert rows["precision"] == ["float32"]
    assert rows["device"] == ["a processor / of two"]
    assert rows["corpus"] == ["debian_speech (manifest `manifest-1.csv`): 4,707 clips, 4.80 hours"]
    assert rows["PESQ-wb ↑"] == ["1.435", "1.368 to 1.506", "3.484", "4.644", "40", "0"]
    assert rows["dWER ↓"] == ["-", "-", "-", "-", "0", "40"]
    assert model_card(model, TRAINING, EVALUATION) == text


def test_a_model_made_by_hand_has_a_card_of_its_config_alone(tmp_path, model):
    model.save_pretrained(tmp_path / "model")
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert card.data.to_dict().keys() == {"license", "library_name", "pipeline_tag", "tags"}
    assert table(card.text)["noise on the latents in training"] == ["uniform, noise_std 0.5"]
    assert "not recorded" in card.text
    assert "Nothing yet" in card.text


def test_the_card_is_no_part_of_the_checkpoints_hash(tmp_path, model):
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "two", model_card(model, TRAINING))
    assert "tiny/baseline/seed0" in (tmp_path / "two" / "README.md").read_text()
    assert checkpoint_sha256(tmp_path / "one") == checkpoint_sha256(tmp_path / "two")


def test_the_cards_own_lines_of_python_run(tmp_path, model, monkeypatch):
    import soundfile

    model.save_pretrained(tmp_path / "FOLDER")
    speech, _ = soundfile.read(ROOT / "tests" / "data" / "it_confbridge_dec_talk_vol_in.flac")
    soundfile.write(tmp_path / "in.wav", speech[:22050], 22050)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", model_card(model), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    output, rate = soundfile.read("out.wav")
    assert (len(output), rate) == (min(len(speech), 22050), 22050)
