"""Numbers as a reader sees them: true minus signs, intervals with "to", short p values.

Everything here takes plain numbers and returns text; nothing is computed from data. None and
nan are what ``results.csv`` leaves empty.
"""

import math
import string

MINUS = "−"  # U+2212, as wide as a plus sign; a hyphen breaks lines and is read as a dash
MISSING = "–"
NOT_ESTIMABLE = "not estimable"


def absent(value) -> bool:
    """Whether there is no number: None, nan or pandas' NA."""
    return value is None or str(value) == "<NA>" or value != value


def number(value, digits=2, *, missing=MISSING) -> str:
    """A number with a fixed count of decimals.

    Parameters
    ----------
    value : float or None
    digits : int
        Decimals kept.
    missing : str
        What stands for None and nan.

    Examples
    --------
    >>> number(-26.384), number(-0.001), number(None)
    ('−26.38', '0.00', '–')
    """
    if absent(value):
        return missing
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}∞"
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else MINUS)


def p_value(p, *, missing=NOT_ESTIMABLE) -> str:
    """A p value to three decimals, ``<0.001`` below and ``>0.999`` above what they can hold.

    Raises
    ------
    ValueError
        `p` outside 0 to 1.

    Examples
    --------
    >>> p_value(0.0421), p_value(2e-7), p_value(1.0)
    ('0.042', '<0.001', '>0.999')
    """
    if absent(p):
        return missing
    if not 0 <= p <= 1:
        raise ValueError(f"a p value lies between 0 and 1, not {p!r}")
    return "<0.001" if p < 0.001 else ">0.999" if p >= 0.9995 else f"{p:.3f}"


def p(value) -> str:
    """A p value for running text: ``p = 0.042``, ``p < 0.001``, ``p not estimable``."""
    text = p_value(value)
    if text[0] in "<>":
        return f"p {text[0]} {text[1:]}"
    return f"p {'' if absent(value) else '= '}{text}"


def ci(low, high, digits=2) -> str:
    """The two limits of an interval: ``−40.87 to −11.89``; with more decimals where alike."""
    if absent(low) or absent(high):
        return NOT_ESTIMABLE
    shown = next((ends for more in range(4) if len(ends := dict.fromkeys(
        number(end, digits + more) for end in (low, high))) == 2), [number(low, digits)])
    return " to ".join(shown)


def estimate(value, low, high, digits=2, *, missing=NOT_ESTIMABLE) -> str:
    """An estimate and its interval: ``−26.38 (−40.87 to −11.89)``.

    An estimate without limits keeps its number and says that the interval is not estimable.
    """
    if absent(value):
        return missing
    digits = _enough(math.nan if absent(low) or absent(high) else high - low, digits)
    return f"{number(value, digits)} ({ci(low, high, digits)})"


def _enough(width, digits: int) -> int:
    """Decimals that tell apart what lies this far apart: more than usual on a fine scale.

    >>> _enough(11.4, 2), _enough(0.0013, 2)
    (2, 4)
    """
    fine = not absent(width) and 0 < width < 10.0 ** -digits
    return 1 - math.floor(math.log10(width)) if fine else digits


def mean_sd(mean, sd, digits=2) -> str:
    """A mean and its standard deviation: ``70.79 (11.36)``."""
    digits = _enough(sd, digits)
    return MISSING if absent(mean) else f"{number(mean, digits)} ({number(sd, digits)})"


def count(n, percent=None, *, of=None) -> str:
    """A count, its denominator and its percentage: ``12``, ``12/19``, ``12/19 (63.2%)``."""
    if absent(n):
        return MISSING
    text = f"{n:.0f}" if absent(of) else f"{n:.0f}/{of:.0f}"
    return text if absent(percent) else f"{text} ({number(percent, 1)}%)"


def nnt(value) -> str:
    """A number needed to treat: whole, rounded away from zero, harm named.

    >>> nnt(12.844), nnt(-9.2), nnt(float("nan"))
    ('13', 'NNTH 10', 'not estimable')
    """
    if absent(value):
        return NOT_ESTIMABLE
    # 1/(0.3 - 0.2) is a hair above 10 and is shown as 10
    return f"{'NNTH ' if value < 0 else ''}{math.ceil(abs(value) - 1e-9)}"


def nnt_ci(low, high, through_infinity, digits=1) -> str:
    """Limits of a number needed to treat, from the fields of `risk.RiskDifference`.

    >>> nnt_ci(1.103, 2.483, 0), nnt_ci(-10.0, -2.0, 0)
    ('1.1 to 2.5', 'NNTH 2.0 to 10.0')
    >>> nnt_ci(-9.4, 2.5, 1), nnt_ci(float("nan"), 2.5, 1)
    ('NNTB 2.5 to infinity to NNTH 9.4', 'NNTB 2.5 to infinity')
    """
    if absent(low) and absent(high):
        return NOT_ESTIMABLE
    if not through_infinity:
        first, last = sorted((abs(low), abs(high)))
        return f"{'NNTH ' if high < 0 else ''}{first:.{digits}f} to {last:.{digits}f}"
    ends = [*([] if absent(high) else [f"NNTB {high:.{digits}f}"]), "infinity",
            *([] if absent(low) else [f"NNTH {-low:.{digits}f}"])]
    return " to ".join(ends if not absent(high) else ends[::-1])


def shift(value) -> str:
    """A shift towards the bad end in words: ``worse by 20``, ``better by 20``, ``as imputed``."""
    if not value:
        return "as imputed"
    return f"{'worse' if value > 0 else 'better'} by {abs(value):g}"


def tally(count, of) -> str:
    """How many of how many; a mean over imputations is said to be one.

    >>> tally(16, 19), tally(0.2475, 19)
    ('16 of 19', '0.2 of 19 on average')
    """
    return f"{count:.0f} of {of:.0f}" if count == round(count) else (
        f"{count:.1f} of {of:.0f} on average")


class _Template(string.Formatter):
    """Numbers in text: ``{}`` with two decimals, ``{:1}`` with one, ``{:p}`` a p value, ``{:%}`` a
    share in percent; others as Python has them.

    >>> TEMPLATE.format("{} ({:0}), p = {:p}, {:%}", -1.5, 2.5, 2e-7, 0.05)
    '−1.50 (2), p = <0.001, 5.0'
    """

    def format_field(self, value, spec: str) -> str:
        """One field."""
        if spec == "p":
            return p_value(value)
        if spec == "%":
            return number(100 * value, 1)
        return format(value, spec) if spec.strip("0123456789") else number(value, int(spec or 2))


TEMPLATE = _Template()


def state(boundary, fallback, converged) -> str:
    """What became of a fit."""
    states = {"variance at zero": boundary, "fell back": fallback, "not converged": not converged}
    return "; ".join(one for one, holds in states.items() if holds) or "converged"
