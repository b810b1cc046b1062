"""The figures: one file each, with table(study) and draw(table)."""

from reports.figures import (
    blur,
    budgets,
    claims_forest,
    input_noise,
    interface,
    losses,
    modelability,
    noise_curves,
    quality_bars,
    rate_distortion,
    round_trips,
    separability,
    spectrograms,
    spectrum,
    tsne,
)
from reports.figures.plot import Plot

PLOTS: list[Plot] = [
    *claims_forest.PLOTS,
    *budgets.PLOTS,
    *quality_bars.PLOTS,
    *blur.PLOTS,
    *rate_distortion.PLOTS,
    *noise_curves.PLOTS,
    *input_noise.PLOTS,
    *round_trips.PLOTS,
    *separability.PLOTS,
    *tsne.PLOTS,
    *spectrum.PLOTS,
    *modelability.PLOTS,
    *interface.PLOTS,
    *losses.PLOTS,
    *spectrograms.PLOTS,
]
