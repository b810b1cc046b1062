"""What the metrics are called, which way is better, and how their numbers are written."""

import re
from dataclasses import dataclass

from reports.study.results import Estimate

NOISE = "latent_noise_"  # scaled by the deviation of the whole space
PER_DIM = "latent_noise_per_dim_"  # by each dim's own
TRAINED_NOISE = 0.5  # up to where the costs of noise are averaged
LATENTS = "latents"  # the condition of what is measured on clean latents
BANDS = r"bands_(\d+)_(\d+)hz"  # the condition of a few bands of the mel, by edges in Hz
UNSEEN = "unseen"  # the condition of reconstructions of voices that training never heard


@dataclass(frozen=True)
class Metric:
    """A metric's name for readers and which way is better."""

    label: str
    better: str = ""  # "up", "down", or "" where neither is
    start: float = 0.0  # where a bar begins: the worst value, or 0
    digits: int = 3
    percent: bool = False
    drawn: bool = False  # as bars

    @property
    def title(self) -> str:
        """For a column's head."""
        return f"{self.label}{' %' if self.percent else ''}{self.arrow}"

    @property
    def arrow(self) -> str:
        return {"up": " ↑", "down": " ↓"}.get(self.better, "")

    @property
    def heading(self) -> str:
        """For the start of a figure's title."""
        first, _, rest = self.label.partition(" ")
        label = f"{first.capitalize()} {rest}".strip() if first.islower() else self.label
        return label + (" %" if self.percent else "")

    @property
    def wish(self) -> str:
        return "higher is better" if self.better == "up" else "lower is better"

    @property
    def unit(self) -> float:
        """By what its values are multiplied when they are written."""
        return 100.0 if self.percent else 1.0

    def shown(self, one: Estimate) -> Estimate:
        """In the unit in which it is written."""
        return one.scaled(self.unit)


QUALITY = {
    "pesq_wb": Metric("PESQ-wb", "up", 1.0, drawn=True),
    "pesq_nb": Metric("PESQ-nb", "up", 1.0),
    "stoi": Metric("STOI", "up", drawn=True),
    "estoi": Metric("ESTOI", "up"),
    "mel_l1": Metric("mel L1", "down", drawn=True),
    "mcd": Metric("MCD, dB", "down", digits=2),
    # best at 0, as the original has it: up while a model blurs, which is below
    "log_modulation_ratio": Metric("fast modulation, log ratio", "up", digits=2),
    "mel_frechet": Metric("Fréchet of frames", "down", digits=2),
    "wer": Metric("WER", "down", digits=1, percent=True),
    "dwer": Metric("dWER", "down", digits=1, percent=True, drawn=True),
    "text_nll": Metric("text NLL, nats a token", "down", digits=2),
    "speaker_similarity": Metric("speaker similarity", "up", drawn=True),
    "distillmos": Metric("DistillMOS", "up", 1.0, digits=2, drawn=True),
    "dnsmos_overall": Metric("DNSMOS", "up", 1.0, digits=2),
    "visqol": Metric("ViSQOL", "up", 1.0, digits=2),
}
LATENT = {
    "speaker_probe": Metric("speaker probe", "up"),
    "speaker_knn": Metric("speaker kNN", "up"),
    "clip_retrieval": Metric("clip retrieval", "up"),
    "speaker_lnc": Metric("speaker LNC", "up"),
    "speaker_chance": Metric("speaker, by chance"),
    "speaker_silhouette": Metric("speaker silhouette", "up"),
    "language_probe": Metric("language probe", "up"),
    "language_chance": Metric("language, by chance"),
    # no arrow where it depends on the frame rate and the number of dims what is better
    "effective_rank": Metric("effective rank", digits=1),
    "viv_speaker": Metric("VIV"),
    "sec": Metric("SEC"),
    "latent_rms": Metric("latent rms"),
    "effective_channels": Metric("effective channels", digits=1),
    "dispersive": Metric("dispersive", "down", digits=4),
    "dispersive_moving": Metric("its moving part", "down", digits=4),
    "dead_channels": Metric("dead channels", "down", digits=0, percent=True),
}
COSTS = {  # of noise, against the clip's own value without it
    "mel_l1_rise": Metric("rise of mel L1", "down"),
    "pesq_wb_loss": Metric("loss of PESQ-wb", "down"),
    "stoi_loss": Metric("loss of STOI", "down"),
    "distillmos_loss": Metric("loss of DistillMOS", "down", digits=2),
    "text_nll_rise": Metric("rise of text NLL, nats a token", "down", digits=2),
    "speaker_similarity_loss": Metric("loss of speaker similarity", "down"),
}
NAMES = QUALITY | LATENT | COSTS
ROBUST = {name.rpartition("_")[0]: name for name in COSTS}  # under latent noise, with its cost


def metric_of(name: str) -> Metric:
    """The metric, or one that is called as in the tables."""
    return NAMES.get(name, Metric(name.replace("_", " ")))


def band_title(condition: str) -> str:
    """Reads bands_1000_2000hz as "1 to 2", in kHz, to the nearest whole one."""
    low, high = (int(edge) / 1000 for edge in re.findall(r"\d+", condition))
    return f"{low:.0f} to {high:.0f}"


def describe(condition: str, name: str) -> str:
    """Reads latent_noise_1.0, mel_l1 as "mel L1 at latent noise 1.0"."""
    label = metric_of(name).label
    if condition.startswith(NOISE):
        noise = "latent noise per dim" if condition.startswith(PER_DIM) else "latent noise"
        level = condition.rpartition("_")[2]
        if level == "area":
            return f"{label}, mean up to {noise} {TRAINED_NOISE:g}"
        return f"{label} at {noise} {level}"
    if re.fullmatch(BANDS, condition):
        return f"{label}, {band_title(condition)} kHz"
    split, *reference = condition.split("_", 1)
    if split == UNSEEN:
        return ", ".join([label, *reference, "unseen voices"])
    if condition in ("", "reconstruction", LATENTS):
        return label
    return f"{label}, {condition.replace('_', ' ')}"
