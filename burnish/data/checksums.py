"""What tells a number that was given out from one that only looks like it."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address


def luhn(text: str) -> bool:
    """ISO/IEC 7812: the check digit of payment cards; signs other than digits do not count."""
    digits = [int(c) for c in text if c.isdecimal()][::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


def iban(text: str) -> bool:
    """ISO 13616: the remainder by 97; the length is not looked at."""
    signs = [c for c in text.upper() if c.isalnum()]
    return int("".join(str(int(c, 36)) for c in signs[4:] + signs[:4])) % 97 == 1


def resident(text: str) -> bool:
    """GB 11643: a date and a check digit over the seventeen before it."""
    signs = "".join(text.split()).upper()
    try:
        date(int(signs[6:10]), int(signs[10:12]), int(signs[12:14]))
    except ValueError:
        return False
    return "10X98765432"[sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(signs[:17])) % 11] == signs[17]


def ip(text: str) -> bool:
    """An address of IPv4, or one of IPv6 that is not more likely to be code, such as `a::b`."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "." in text or any(len(group) > 2 for group in text.split(":"))
