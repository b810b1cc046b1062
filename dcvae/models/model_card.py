"""The model card: the README.md of a checkpoint folder, with a head that Hugging Face's hub reads.

Source of the head's fields: the hub's model card specification
(github.com/huggingface/hub-docs, modelcard.md), as `huggingface_hub.ModelCardData` writes them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.provenance import Evaluation, Score, Training

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TAGS = ["audio", "speech", "autoencoder", "vae", "mel-spectrogram", "continuous-latents"]
UNKNOWN = "not known"
SCALED_NOISE = ("fixed", "uniform", "normal")  # the kinds that noise_std is about


class Described(Protocol):
    """What a card tells of a SpeechAutoencoder."""

    config: dict[str, Any]
    latent_bins: int

    @property
    def latent_frames_per_second(self) -> float: ...

    @property
    def floats_per_second(self) -> float: ...

    @property
    def parameters_count(self) -> int: ...


def model_card(
    model: Described,
    training: Training | None = None,
    evaluation: Evaluation | None = None,
) -> str:
    """The text of README.md; the same facts give the same text."""
    training = training or Training()
    sections = [
        f"---\n{head(training, evaluation)}\n---",
        f"# {training.name}",
        what_it_is(model),
        "## Training",
        how_trained(training),
        "## Measured",
        what_was_measured(evaluation),
        "## Use",
        USE,
        "## Limits",
        limits(training, evaluation),
    ]
    return "\n\n".join(sections) + "\n"


def head(training: Training, evaluation: Evaluation | None) -> str:
    """YAML without its fences. Languages are those with an ISO 639 code; NaN is left out."""
    from huggingface_hub import ModelCardData

    corpus = training.corpus
    codes = [one for one in (corpus.languages if corpus else ()) if re.fullmatch("[a-z]{2,3}", one)]
    name = corpus.name if corpus else UNKNOWN
    results = eval_results(name, evaluation) if evaluation else None
    data = ModelCardData(
        license="apache-2.0",
        library_name="dcvae",
        pipeline_tag="audio-to-audio",
        tags=TAGS,
        language=codes or None,
        model_name=training.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def eval_results(corpus: str, evaluation: Evaluation) -> "list[EvalResult]":
    """The finite means on that corpus for the hub's model-index."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="audio-to-audio",
            task_name="speech reconstruction",
            dataset_type=corpus,
            dataset_name=corpus,
            dataset_split=evaluation.split,
            metric_type=one.metric,
            metric_name=one.label.rstrip(" ↑↓"),
            metric_value=round(one.mean, 4),
        )
        for one in evaluation.scores
        if math.isfinite(one.mean)
    ]


def what_it_is(model: Described) -> str:
    """The model's sizes, which its config alone says."""
    config = model.config
    channels, bins = config["latent_channels"], model.latent_bins
    noise = config["noise"]
    if noise in SCALED_NOISE:
        noise += f", noise_std {config['noise_std']}"
    rows = {
        "compression": f"{config['compression']}x in mel bins and in frames",
        "latent frames a second": f"{model.latent_frames_per_second:.3f}",
        "floats a latent frame": f"{channels} channels x {bins} bins = {channels * bins}",
        "floats a second": f"{model.floats_per_second:.1f}",
        "parameters": f"{model.parameters_count:,}",
        "norm of the latents": "LayerNorm" if config["layernorm"] else "none",
        "noise on the latents in training": noise,
    }
    return (
        f"A deep-compression speech autoencoder: mono speech at {SAMPLE_RATE:,} Hz becomes few"
        " continuous latents by way of a log-mel spectrogram, and a vocoder makes a wave of them"
        f" again.\n\n{two_columns(rows)}"
    )


def how_trained(training: Training) -> str:
    """Corpus, steps and circumstances, as far as they are known."""
    corpus = training.corpus
    rows: dict[str, str | int | None] = {}
    if corpus:
        spoken = f"{corpus.clips:,} clips, {corpus.hours:.2f} hours"
        rows["corpus"] = f"{corpus.name} (manifest `{corpus.manifest}`): {spoken}"
        rows["languages"] = ", ".join(corpus.languages) or UNKNOWN
        rows["speakers"] = corpus.speakers or UNKNOWN
    of_all = f" of {training.steps}" if training.steps is not None else ""
    rows |= {
        "size": training.size,
        "ablation": training.ablation,
        "seed": training.seed,
        "step": None if training.step is None else f"{training.step}{of_all}",
        "precision": "float32" if training.precision == "no" else training.precision,
        "device": training.device,
        "commit": training.commit,
        "origin": training.origin,
    }
    known = {name: str(value) for name, value in rows.items() if value is not None}
    return two_columns(known) if known else "How these weights came to be is not recorded."


def what_was_measured(evaluation: Evaluation | None) -> str:
    """The table of metrics."""
    if evaluation is None:
        return "Nothing yet."
    return (
        f"On the corpus' {evaluation.split} split, with {evaluation.vocoder} as the vocoder: mean"
        " and 95% interval over the clips, of these weights. The ceiling is the original mel"
        " through that vocoder.\n\n" + score_table(evaluation.scores)
    )


def score_table(scores: Sequence[Score]) -> str:
    """A Markdown table with a row for each metric, beside its ceiling and the original's value."""
    rows = [
        f"| {one.label} | {shown(one.mean)} | {span(one.low, one.high)} | {shown(one.ceiling)} |"
        f" {shown(one.original)} | {one.n_scored} | {one.n_failed} |"
        for one in scores
    ]
    head = "| metric | mean | 95% interval | ceiling | original | clips | failed |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


USE = f"""\
```python
from dcvae import Codec, read_audio, write_audio

codec = Codec.from_pretrained("FOLDER")
wave = codec.reconstruct(read_audio("in.wav")[None], {SAMPLE_RATE})
write_audio("out.wav", wave, {SAMPLE_RATE})
```

```bash
dcvae reconstruct in.wav out.wav --model FOLDER
hf upload USER/NAME FOLDER
```

FOLDER is the folder that holds this file."""


def limits(training: Training, evaluation: Evaluation | None) -> str:
    """What must not be concluded from the above."""
    spoken = ", ".join(training.corpus.languages) if training.corpus else ""
    sentences = [
        "Nothing but what the table says was measured."
        if evaluation
        else "Nothing of this model was measured yet.",
        "Nothing is known of other speech, other languages, other vocoders and music.",
        f"Its training speech was in: {spoken}." if spoken else "",
        "The licence named above is the code's; the weights belong to who trained them, under the"
        " terms of the speech that they were trained on.",
    ]
    return " ".join(filter(None, sentences))


def two_columns(rows: Mapping[str, str]) -> str:
    """A Markdown table; a bar in a cell would end it."""
    lines = [f"| {name} | {value.replace('|', '/')} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def span(low: float, high: float) -> str:
    return f"{shown(low)} to {shown(high)}" if math.isfinite(low + high) else "-"


def shown(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"
