"""Text of strangers made fit for a terminal, a comment or a message."""

from __future__ import annotations


def plain(text: str, longest: int = 80) -> str:
    r"""Return a text on one line, without control signs, cut at `longest` signs.

    Example:
        >>> plain("a\nb\x1b[31m")
        'a b [31m'
    """
    cleaned = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 4 * longest]).split())
    return cleaned if len(cleaned) <= longest else f"{cleaned[: longest - 3]}..."


def digits(number: float) -> float:
    """Return a number to four significant digits.

    Example:
        >>> digits(1234.567), digits(0.0123456)
        (1235.0, 0.01235)
    """
    return float(f"{number:.4g}")


def exact(number: float) -> str:
    """Return a number in full, without a fraction where it has none.

    Example:
        >>> exact(1200.0), exact(0.123456)
        ('1200', '0.123456')
    """
    return str(int(number)) if abs(number) < 1e15 and number == int(number) else repr(number)


def shown(number: float) -> str:
    """Return a number to four significant digits, as people write it.

    Example:
        >>> shown(1234.567), shown(0.5), shown(123456.0)
        ('1235', '0.5', '123500')
    """
    return exact(digits(number))
