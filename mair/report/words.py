"""Sentences in notebooks: computed prose, and what every notebook says first."""

from __future__ import annotations

from html import escape


def say(*sentences: str) -> None:
    """Display sentences as one paragraph of Markdown; empty ones are left out.

    Parameters
    ----------
    *sentences : str
        Markdown; numbers in them are computed by the caller.
    """
    text = " ".join(sentence for sentence in sentences if sentence)
    if text:
        from IPython.display import Markdown, display

        display(Markdown(text))


def bullets(*sentences: str) -> None:
    """Display sentences as a list; empty ones are left out."""
    say("\n".join(f"- {sentence}" for sentence in sentences if sentence))


def opening(trial, section="") -> None:
    """Which trial this is, whether it is synthetic, its notices, and its own words.

    Parameters
    ----------
    trial : Trial
    section : str
        Whose ``remarks`` of the trial file are shown, as the trial's and not as Markdown.
    """
    sizes = " and ".join(
        f"{trial.n(arm)} to {trial.labels[arm]}" + (f" ({arm})" if trial.labels[arm] != arm else "")
        for arm in trial.arms
    )
    say(f"**{trial.title}**: {trial.n()} participants, {sizes}.")
    if trial.synthetic:
        say(
            "**SYNTHETIC.** The data are generated so that they agree with published summaries. "
            "They are one of many data sets that would; nothing here is about real patients."
        )
    bullets(*trial.notices)
    own = (trial.sections.get("remarks") or {}).get(section)
    if own:
        text = escape(own.strip()).replace("$", "&#36;")
        text = "<br>".join(line for line in text.splitlines() if line.strip())
        say(f"<blockquote><p><strong>The trial's own remark.</strong> {text}</p></blockquote>")


def estimand(trial, summary: str) -> None:
    """The estimand as the trial file declares it, with this notebook's summary measure.

    Parameters
    ----------
    trial : Trial
    summary : str
        What the notebook estimates.
    """
    declared = trial.sections.get("estimand") or {}
    events = "; ".join(f"{e['event']}: {e['strategy']}" for e in declared.get("intercurrent") or [])
    against = f"{trial.treatment} against {trial.control}"
    bullets(
        f"**Population:** {declared.get('population', 'all randomised')}",
        f"**Treatments:** {declared.get('treatment', against)}",
        f"**Intercurrent events:** {events or 'none declared; every observed value is used'}",
        f"**Summary:** {summary}",
    )
