import torch
from torch import nn

from experiments.training.validation import Validation


class Vocoder(nn.Linear):
    context = 0


def test_a_vocoder_of_modules_goes_where_the_mel_is(clips, speech, tmp_path):
    vocoder = Vocoder(2, 2)
    one = Validation(
        waves=[(clips[0], speech[0])],
        examples=1,
        vocoder=vocoder,
        run_dir=tmp_path,
        device=torch.device("meta"),
    )
    assert vocoder.weight.device == one.clips[0][1].device == torch.device("meta")
