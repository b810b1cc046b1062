from accelerate import Accelerator
from huggingface_hub import ModelCard

from dcvae import SpeechAutoencoder
from dcvae.provenance import Training
from experiments.checkpointing import Checkpoints


def test_every_saved_model_has_the_card_of_its_step(tmp_path):
    layers = [0, 1, 1, 1, 1]
    model = SpeechAutoencoder(channels=[16] * 5, encoder_layers=layers, decoder_layers=layers)
    described = Training(size="debug", ablation="baseline", seed=0, steps=6)
    checkpoints = Checkpoints(tmp_path, Accelerator(cpu=True), described)
    for name, step in (("best", 3), ("last", 6)):
        checkpoints.save_model(model, name, step)
        card = ModelCard.load(tmp_path / name / "README.md")
        assert f"| step | {step} of 6 |" in card.text
    assert SpeechAutoencoder.from_pretrained(tmp_path / "last").config == model.config
