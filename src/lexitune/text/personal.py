"""Personal data and secrets in texts, by their form and, where they have one, their check digits.

Names and addresses have no form: they are not found.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["KINDS", "SECRETS", "Personal", "find_personal", "mask_personal"]

IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 "
    "EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 "
    "KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 "
    "OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 "
    "TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
"""ISO 13616: country, and the characters of its numbers."""

IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in IBANS.split()}
MAY_HOLD = re.compile(r"[\d@]|\S{12}|PRIVATE KEY")  # without any of these a text holds nothing personal
FILES = "bmp|css|csv|gif|html?|ico|jpe?g|js|json|pdf|png|svg|toml|ts|txt|webp|xml|ya?ml"  # no country's domain


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
    found: list[tuple[int, int, str]] = []  # by start; none overlap
    for kind, (pattern, real) in KINDS.items():
        for match in pattern.finditer(text):
            start = match.start("value")
            end = start + real(match["value"])
            place = bisect_left(found, (start,))
            before_is_clear = place == 0 or found[place - 1][1] <= start
            if end > start and before_is_clear and (place == len(found) or end <= found[place][0]):
                found.insert(place, (start, end, kind))
    for start, end, kind in found:
        yield Personal(kind, start, end)


def mask_personal(text: str) -> tuple[str, Counter[str]]:
    """The text with what is personal replaced by its kind in brackets, and how often each kind stood in it.

    Example:
        >>> mask_personal("mail ann@firm.co.uk")[0]
        'mail [email address]'
    """
    found, end, parts = Counter[str](), 0, list[str]()
    if not MAY_HOLD.search(text):
        return text, found
    for one in find_personal(text):
        found[one.kind] += 1
        parts += [text[end : one.start], f"[{one.kind}]"]
        end = one.end
    return "".join([*parts, text[end:]]), found


def _mailbox(value: str) -> int:
    """Not of a domain that is kept for examples (RFC 2606), and no file, package or repository."""
    name, _, domain = value.rpartition("@")
    kept = re.search(rf"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost|{FILES})$", domain.lower())
    return 0 if kept or name == "git" else len(value)


def _card(value: str) -> int:
    """Luhn's check digit (ISO/IEC 7812)."""
    digits = _digits(value)
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return len(value) if len(set(digits)) > 1 and sum(doubled) % 10 == 0 else 0


def _iban(value: str) -> int:
    """As long as its country has them; country and check digits moved to the end, letters as 10 to 35: 1 modulo 97."""
    places = [place for place, one in enumerate(value) if one != " "]
    length = IBAN_LENGTHS.get(value[:2].upper(), 0)
    if not length or len(places) < length:
        return 0
    plain = "".join(value[place] for place in places[:length])
    is_real = int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1
    return places[length - 1] + 1 if is_real else 0


def _nhs_number(value: str) -> int:
    """Ten digits, the last one by weights of 10 to 2 modulo 11."""
    *digits, check = _digits(value)
    found = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=True)) % 11
    return len(value) if found % 11 == check and found != 10 and any(digits) else 0


def _phone_number(value: str) -> int:
    return len(value) if 8 <= len(_digits(value)) <= 15 else 0


def _public_address(value: str) -> int:
    """An address of the open internet; those of private networks and of documentation say nothing about a person.

    One without a number of three digits may as well be a version or a clause.
    """
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return 0
    return len(value) if address.is_global and any(len(part) == 3 for part in value.split(".")) else 0


def _key(value: str) -> int:
    """Not one that documentation shows."""
    return 0 if "EXAMPLE" in value else len(value)


def _any(value: str) -> int:
    return len(value)


def _digits(value: str) -> list[int]:
    return [int(one) for one in value if one.isdigit()]


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern if "(?P<value>" in pattern else f"(?P<value>{pattern})", re.ASCII)


KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], int]]] = {
    "key or token": (
        _form(
            r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
            r"|\bAKIA[0-9A-Z]{16}\b"  # AWS
            r"|\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})"
            r"|\bAIza[0-9A-Za-z_-]{35}"  # Google
            r"|\bsk[-_](?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{24,}"  # OpenAI, Stripe and others
            r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
            r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # a signed JSON Web Token
            r"|(?<=://)[^\s/:@]{1,64}:[^\s/:@]{1,128}@"  # name and password in an address
        ),
        _key,
    ),
    "email address": (
        _form(r"(?<![\w.+-])\w[\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b"),
        _mailbox,
    ),
    "IBAN": (_form(r"\b(?=(?P<value>[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}))[A-Za-z]{2}\d{2}"), _iban),
    "payment card": (
        _form(  # Visa, Mastercard, Discover and UnionPay in fours; American Express as 4, 6, 5
            r"(?<![\d.,-])(?P<value>(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|[245]\d\d))([ -]?)\d{4}\2\d{4}\2\d{4}"
            r"|3[47]\d\d([ -]?)\d{6}\3\d{5})(?![\d.,-]?\d)"
        ),
        _card,
    ),
    "NHS number": (_form(r"\b(?i:NHS)\D{0,20}(?P<value>\d{3}[ -]?\d{3}[ -]?\d{4})(?!\d)"), _nhs_number),
    "National Insurance number": (
        _form(r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
        _any,
    ),
    "US social security number": (_form(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), _any),
    "phone number": (
        _form(
            r"(?<![\w.+-])(?:\+\d{1,3}[ .-](?:\(0?\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|\+\d{10,15}"
            r"|(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}"  # North American
            r"|0[1-9]\d{1,3} \d{3,4} ?\d{3,4}(?! \d)|0[1237]\d{9})(?!\w|[.-]\d)"  # British
        ),
        _phone_number,
    ),
    "IP address": (_form(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]?\d)"), _public_address),
}
"""Kind -> its form, and how many of the characters that have it are a real one: 0 where they only look like it."""

SECRETS = ("key or token",)
"""Kinds that nobody should keep even a masked text of."""
