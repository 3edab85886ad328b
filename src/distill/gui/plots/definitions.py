"""The plots that there are: their curves, and what each figure means and what to do about it."""

from PySide6.QtCore import QCoreApplication

from distill.events import ACTIVE_LATENT_KL, COLLAPSE_KL, OVERFITTING_GAP
from distill.gui.plots.legend import CurveStyle
from distill.gui.plots.plot import Plot

#: How many points back the moving averages look, at light, medium and strong smoothing: steps are noisy and many.
STEP_SPANS, EPOCH_SPANS = (10.0, 50.0, 250.0), (3.0, 7.0, 15.0)

#: By this name, and with a context beside each text, Qt's tools find what is to be translated.
translate = QCoreApplication.translate


def make_loss_plot() -> Plot:
    """Return the plot of losses, on which the best epoch, checkpoints and previews are marked."""
    curves = (
        CurveStyle(
            "steps", translate("Plot", "steps"), "faint", 1.0,
            translate("Plot", "What each training step measured. It jumps; smoothing shows where it goes."),
            dot="", spans=STEP_SPANS, strong="steps",
        ),
        CurveStyle(
            "reconstruction", translate("Plot", "reconstruction"), "third", 1.5,
            translate(
                "Plot",
                "How far the copies of held-out sounds are from the originals: the part of the loss that one hears.",
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
    marks = (
        CurveStyle(
            "best",
            translate("Plot", "best"),
            "good",
            0,
            translate("Plot", "Lowest held-out loss: the model is taken from here."),
            "o",
        ),
        CurveStyle(
            "checkpoints",
            translate("Plot", "checkpoints"),
            "muted",
            0,
            translate("Plot", "Saved states that a run can go on from."),
            "d",
            has_value=False,
        ),
        CurveStyle(
            "previews",
            translate("Plot", "previews"),
            "accent",
            0,
            translate("Plot", "Click a mark on the axis to hear that epoch."),
            "t2",
            has_value=False,
        ),
    )
    help = translate("Plot", "How wrong the model is; lower is better. Only falls within one run can be compared.")
    return Plot("lossPlot", translate("Plot", "Loss"), curves, help=help, marks=marks, can_be_log=True)


def make_kl_plot() -> Plot:
    """Return the plot of KL, with the weight that it has in the loss."""
    curves = (
        CurveStyle(
            "kl", translate("Plot", "held out"), "second", 2.0,
            translate(
                "Plot",
                "How much the latents say about a sound, on sounds that are never trained on (nat). Under {0:g} they "
                "say nothing any more, the posterior has collapsed: lower the KL weight or raise the free bits."
            ).format(COLLAPSE_KL),
            dot="s", spans=EPOCH_SPANS,
        ),
        CurveStyle(
            "weight", translate("Plot", "weight"), "third", 1.5,
            translate(
                "Plot", "How much the KL counts in the loss (axis on the right). It rises while the run warms up."
            ),
            dot="", is_dashed=True, is_right=True, is_smooth=True,
        ),
    )  # fmt: skip
    plot = Plot("klPlot", translate("Plot", "KL"), curves, help=curves[0].help, can_be_log=True)
    plot.set_limits(lowest=0)
    plot.add_reference(COLLAPSE_KL, translate("Plot", "collapse under {0:g}").format(COLLAPSE_KL))
    return plot


def make_active_plot() -> Plot:
    """Return the plot of how many latents are in use."""
    help = translate(
        "Plot",
        "Latents that say something about held-out sounds (KL over {0:g} nat). A few are enough for few sounds; "
        "if they fall to none, the posterior has collapsed.",
    ).format(ACTIVE_LATENT_KL)
    curves = (CurveStyle("active", translate("Plot", "held out"), "second", 2.0, help, dot="s"),)
    plot = Plot("activeLatentsPlot", translate("Plot", "Active latents"), curves, help=help)
    plot.set_limits(lowest=0)
    plot.set_least_range(5)
    return plot


def make_rate_plot() -> Plot:
    """Return the plot of the learning rate."""
    help = translate(
        "Plot", "How big the steps are. It rises shortly, then falls to nothing at the planned end of the run."
    )
    curves = (CurveStyle("rate", translate("Plot", "each step"), "accent", 2.0, help, dot="", is_smooth=True),)
    plot = Plot("learningRatePlot", translate("Plot", "Learning rate"), curves, help=help)
    plot.set_limits(lowest=0)
    return plot


def make_gap_plot() -> Plot:
    """Return the plot of how much worse the model is on sounds that it is not trained on."""
    limit = 100 * OVERFITTING_GAP
    help = translate(
        "Plot",
        "How much higher the held-out loss is than the training loss. Over {0:.0f} % the model learns its sounds by "
        "heart: stop, add sounds, or choose a more conservative preset.",
    ).format(limit)
    curves = (CurveStyle("gap", translate("Plot", "gap"), "second", 2.0, help, dot="s", spans=EPOCH_SPANS),)
    plot = Plot("overfittingPlot", translate("Plot", "Overfitting gap, %"), curves, help=help)
    plot.add_band(0, limit, "good")
    plot.add_reference(limit, translate("Plot", "overfitting over {0:.0f} %").format(limit))
    return plot
