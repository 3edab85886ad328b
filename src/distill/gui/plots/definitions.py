"""Defines the plots: their curves, what each figure means, and what to do about it."""

from PySide6.QtCore import QCoreApplication

from distill.events import ACTIVE_LATENT_KL, COLLAPSE_KL, OVERFITTING_GAP
from distill.gui.plots.curve_drawing import CurveStyle
from distill.gui.plots.marks import mark_styles
from distill.gui.plots.plot import Plot

#: Spans of the moving averages in points, at light, medium and strong smoothing.
STEP_SPANS, EPOCH_SPANS = (10.0, 50.0, 250.0), (3.0, 7.0, 15.0)

#: Qt's translation tools find texts by this name and the context beside each text.
translate = QCoreApplication.translate


#: Curves and marks of the loss plot that are shown without details.
MAIN_LOSS_CURVES = ("validation", "best", "previews")

#: Share of the highest loss that its axis spans at least.
LEAST_LOSS_SHARE = 0.2


def make_loss_plot() -> Plot:
    """Return the plot of losses, on which the best epoch, checkpoints and previews are marked."""
    curves = (
        CurveStyle(
            "steps", translate("Plot", "steps"), "faint", 1.0,
            translate("Plot", "Loss of each training step. It is noisy; smoothing shows the trend."),
            dot="", spans=STEP_SPANS, strong="steps",
        ),
        CurveStyle(
            "reconstruction", translate("Plot", "reconstruction"), "third", 1.5,
            translate(
                "Plot",
                "Difference between held-out sounds and their copies: the audible part of the loss.",
            ),
            dot="t1", spans=EPOCH_SPANS, is_dashed=True,
        ),
        CurveStyle(
            "train", translate("Plot", "training"), "accent", 2.0,
            translate("Plot", "Loss on sounds that are trained on, measured after each epoch. It should fall."),
            spans=EPOCH_SPANS,
        ),
        CurveStyle(
            "validation", translate("Plot", "held out"), "second", 2.0,
            translate(
                "Plot",
                "Loss on sounds that are never trained on: what the model has really learned. "
                "When it rises while training falls, stop, or use more sounds."
            ),
            dot="s", spans=EPOCH_SPANS,
        ),
    )  # fmt: skip
    help = translate("Plot", "How wrong the model is; lower is better. Compare values within one run only.")
    plot = Plot("lossPlot", translate("Plot", "Loss"), curves, help=help, marks=mark_styles(), can_be_log=True)
    plot.set_least_share(LEAST_LOSS_SHARE)
    return plot


def make_kl_plot() -> Plot:
    """Return the plot of the KL divergence and its weight in the loss."""
    curves = (
        CurveStyle(
            "kl", translate("Plot", "held out"), "second", 2.0,
            translate(
                "Plot",
                "How much the model remembers of a held-out sound (KL divergence in nat). Below {0:g} it ignores the "
                "sound (posterior collapse): lower the KL weight or raise the free bits."
            ).format(COLLAPSE_KL),
            dot="s", spans=EPOCH_SPANS,
        ),
        CurveStyle(
            "weight", translate("Plot", "weight"), "third", 1.5,
            translate(
                "Plot", "Weight of the KL term in the loss (right axis). It rises during warm-up."
            ),
            dot="", is_dashed=True, is_right=True, is_smooth=True,
        ),
    )  # fmt: skip
    plot = Plot("klPlot", translate("Plot", "Packing"), curves, help=curves[0].help, can_be_log=True)
    plot.set_limits(lowest=0)
    plot.add_reference(COLLAPSE_KL, translate("Plot", "ignores sounds below {0:g}").format(COLLAPSE_KL))
    return plot


def make_active_plot() -> Plot:
    """Return the plot of the number of active latents."""
    help = translate(
        "Plot",
        "Dimensions that carry information about held-out sounds (latents with a KL above {0:g} nat). A few are enough "
        "for few sounds; at zero the model ignores its sounds (posterior collapse).",
    ).format(ACTIVE_LATENT_KL)
    curves = (CurveStyle("active", translate("Plot", "held out"), "second", 2.0, help, dot="s"),)
    plot = Plot("activeLatentsPlot", translate("Plot", "Dimensions in use"), curves, help=help)
    plot.set_limits(lowest=0)
    plot.set_least_range(5)
    return plot


def make_rate_plot() -> Plot:
    """Return the plot of the learning rate."""
    help = translate(
        "Plot",
        "Size of the training steps (learning rate). It rises, then falls to zero at the end of the run.",
    )
    curves = (CurveStyle("rate", translate("Plot", "each step"), "accent", 2.0, help, dot="", is_smooth=True),)
    plot = Plot("learningRatePlot", translate("Plot", "Step size"), curves, help=help)
    plot.set_limits(lowest=0)
    return plot


def make_gap_plot() -> Plot:
    """Return the plot of the overfitting gap."""
    limit = 100 * OVERFITTING_GAP
    help = translate(
        "Plot",
        "How much higher the held-out loss is than the training loss (overfitting gap). Above {0:.0f} % the model is "
        "starting to memorise: stop, add sounds, or choose a more conservative preset.",
    ).format(limit)
    curves = (CurveStyle("gap", translate("Plot", "gap"), "second", 2.0, help, dot="s", spans=EPOCH_SPANS),)
    plot = Plot("overfittingPlot", translate("Plot", "Memorising, %"), curves, help=help)
    plot.add_band(0, limit, "good")
    plot.add_reference(limit, translate("Plot", "memorising above {0:.0f} %").format(limit))
    return plot


def make_new_sounds_plot() -> Plot:
    """Return the plot of the distance between new sounds and the corpus."""
    help = translate(
        "Plot",
        "How far new sounds lie from your own, taken as a whole (kernel distance). Lower is better; around 0 this "
        "figure cannot tell them apart any more. Your ears still may. Below 0 they are nearer to single sounds of "
        "yours than those are to each other.",
    )
    curves = (CurveStyle("distance", translate("Plot", "new sounds"), "accent", 2.0, help, dot="s", spans=EPOCH_SPANS),)
    return Plot("newSoundsPlot", translate("Plot", "Distance of new sounds"), curves, help=help)
