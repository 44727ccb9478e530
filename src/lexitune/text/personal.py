"""Personal data and secrets in texts, by their form and, where they have one, their check digits.

Names and addresses have no form: they are not found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["KINDS", "Personal", "find_personal"]

IBAN_COUNTRIES = (
    "AD AE AL AT AZ BA BE BG BH BI BR BY CH CR CY CZ DE DJ DK DO EE EG ES FI FK FO FR GB GE GI GL GR GT HR HU IE IL IQ "
    "IS IT JO KW KZ LB LC LI LT LU LV LY MC MD ME MK MN MR MT MU NI NL NO OM PK PL PS PT QA RO RS RU SA SC SD SE SI SK "
    "SM SO ST SV TL TN TR UA VA VG XK YE"
)


@dataclass(frozen=True, slots=True)
class Personal:
    """One find: what it is, and where it stands in the text. The value itself is nowhere kept."""

    kind: str
    start: int
    end: int


def find_personal(text: str) -> Iterator[Personal]:
    """What looks like personal data or a secret, from left to right; of two finds that overlap the first kind's.

    Example:
        >>> list(find_personal("Write to ann@firm.co.uk!"))
        [Personal(kind='email address', start=9, end=23)]
    """
    found: list[Personal] = []
    for kind, (pattern, is_real) in KINDS.items():
        for match in pattern.finditer(text):
            start, end = match.span()
            if is_real(match.group()) and not any(start < one.end and one.start < end for one in found):
                found.append(Personal(kind, start, end))
    yield from sorted(found, key=lambda one: one.start)


def _is_mailbox(value: str) -> bool:
    """Not of a domain that is kept for examples (RFC 2606)."""
    domain = value.rpartition("@")[2].lower()
    return not re.search(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$", domain)


def _is_card(value: str) -> bool:
    """Issuer's first digit, and Luhn's check digit (ISO/IEC 7812)."""
    digits = _digits(value)
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return digits[0] in (2, 3, 4, 5, 6) and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _is_iban(value: str) -> bool:
    """ISO 13616: country and check digits moved to the end, letters as 10 to 35, and 1 modulo 97."""
    plain = value.replace(" ", "")
    if plain[:2] not in IBAN_COUNTRIES.split() or not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_nhs_number(value: str) -> bool:
    """Ten digits, the last one by weights of 10 to 2 modulo 11."""
    *digits, check = _digits(value)
    found = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=True)) % 11
    return found % 11 == check and found != 10


def _is_phone_number(value: str) -> bool:
    return 8 <= len(_digits(value)) <= 15


def _is_public_address(value: str) -> bool:
    """An address of the open internet; those of private networks and documentation say nothing about a person."""
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


def _always(value: str) -> bool:
    return True


def _digits(value: str) -> list[int]:
    return [int(one) for one in value if one in "0123456789"]


KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "key or password": (
        re.compile(
            r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
            r"|\bAKIA[0-9A-Z]{16}\b"  # AWS
            r"|\bgh[pousr]_[A-Za-z0-9]{36,}\b"  # GitHub
            r"|\bsk-[A-Za-z0-9_-]{32,}"  # OpenAI and others
            r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
            r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # a signed JSON Web Token
        ),
        _always,
    ),
    "email address": (
        re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b", re.ASCII),
        _is_mailbox,
    ),
    "IBAN": (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _is_iban),
    "payment card": (
        re.compile(r"(?<![\d.,-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5}|\d{13,19})(?![\d.,-]?\d)"),
        _is_card,
    ),
    "NHS number": (re.compile(r"(?<![\d-])\d{3} \d{3} \d{4}(?![\d-])"), _is_nhs_number),
    "National Insurance number": (
        re.compile(r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
        _always,
    ),
    "US social security number": (
        re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
        _always,
    ),
    "phone number": (
        re.compile(
            r"(?<![\w.+-])(?:\+\d{1,3}[ .-](?:\(0?\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|\+\d{11,15}"
            r"|(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}"  # North American
            r"|0[1-9]\d{1,3} \d{3,4} ?\d{3,4})(?!\w|[ .-]\d)"  # British
        ),
        _is_phone_number,
    ),
    "IP address": (re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]?\d)"), _is_public_address),
}
"""Kind -> its form, and what tells a real one from digits that look like it."""
