"""Personal data: what is found, what only looks like it, and that check digits count."""

import time

import pytest

from lexitune.text.personal import IBAN_LENGTHS, find_personal

FULL_WIDTH = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("ask ann.lee+law@firm.co.uk today", "email address", "ann.lee+law@firm.co.uk"),
        ("card 4111 1111 1111 1111.", "payment card", "4111 1111 1111 1111"),
        ("card 5555-5555-5555-4444", "payment card", "5555-5555-5555-4444"),
        ("card 378282246310005,", "payment card", "378282246310005"),
        ("pay to GB82 WEST 1234 5698 7654 32", "IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("pay to DE89370400440532013000", "IBAN", "DE89370400440532013000"),
        ("BE68 5390 0754 7034 AND MORE", "IBAN", "BE68 5390 0754 7034"),
        ("pay to gb82 west 1234 5698 7654 32", "IBAN", "gb82 west 1234 5698 7654 32"),
        ("NHS no. 943 476 5919", "NHS number", "943 476 5919"),
        ("nhs no. 943 476 5919", "NHS number", "943 476 5919"),
        ("NI: QQ 12 34 56 C or AB 12 34 56 C", "National Insurance number", "AB 12 34 56 C"),
        ("SSN 123-45-6789", "US social security number", "123-45-6789"),
        ("call +44 20 7946 0958 now", "phone number", "+44 20 7946 0958"),
        ("call (212) 717-3298", "phone number", "(212) 717-3298"),
        ("call 212-717-3298 2 times", "phone number", "212-717-3298"),
        ("call 020 7946 0958", "phone number", "020 7946 0958"),
        ("call 07700900123", "phone number", "07700900123"),
        ("from 81.2.169.60:443", "IP address", "81.2.169.60"),
        ("aws AKIAIOSFODNN7QWERTYU", "key or token", "AKIAIOSFODNN7QWERTYU"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "key or token", "-----BEGIN RSA PRIVATE KEY-----"),
        ("git clone https://ann:hunter2@host.com/x", "key or token", "ann:hunter2@"),
    ],
)
def test_what_is_found(text: str, kind: str, value: str) -> None:
    assert [(one.kind, text[one.start : one.end]) for one in find_personal(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, a@b.test and git@localhost",  # kept for examples
        "git@github.com:org/repo.git and icon@2x.png",
        "card 4111 1111 1111 1112",  # the check digit is wrong
        "0000 0000 0000 0000",
        "an IMEI: 490154203237518, 352099001761481",
        "pay to GB83 WEST 1234 5698 7654 32",
        "RV0717B01008001 is a strain",  # no country
        "NHS no. 943 476 5918, NHS no. 000 000 0000",
        "tables of 2 4 4 3 0 0 0 0 0 0 0 0 0 0 0 0",
        "from 192.168.0.1, 10.0.0.7, 127.0.0.1 and 203.0.113.9",  # private, or kept for documentation
        "build 1.2.3.4.5 of 999.1.1.1, clause 12.3.1.2, version 3.12.1.4, OID 2.5.29.15",
        "find . -size +200557600c and tail -n +347340107",
        "SSN 000-45-6789 and 666-45-6789",
        "a decorator @app.route, p@ssw0rd and 3-4-5",
        "AKIAIOSFODNN7EXAMPLE",
        "class sk-estimator-doc-link-fitted-hover-content-box",
        "card 4111 1111 1111 1111, NHS 943 476 5919".translate(FULL_WIDTH),
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert list(find_personal(text)) == []


def test_one_find_does_not_swallow_the_next() -> None:
    text = "DE89370400440532013000 GB82WEST12345698765432 and _ann@firm.md"

    assert [one.kind for one in find_personal(text)] == ["IBAN", "IBAN", "email address"]


def test_finds_stand_in_the_order_of_the_text() -> None:
    text = "81.2.169.60 wrote to ann@firm.uk from +44 20 7946 0958"

    assert [one.kind for one in find_personal(text)] == ["IP address", "email address", "phone number"]


def test_a_log_of_addresses_takes_no_more_than_its_length() -> None:
    text = " ".join(f"81.2.{100 + n % 100}.{n % 250}" for n in range(20_000))
    start = time.process_time()

    assert len(list(find_personal(text))) == 20_000
    assert time.process_time() - start < 5


def test_each_country_has_a_length() -> None:
    assert (IBAN_LENGTHS["GB"], IBAN_LENGTHS["DE"], IBAN_LENGTHS["NO"], IBAN_LENGTHS["YE"]) == (22, 22, 15, 30)
