"""Languages: told where a text is long and clear enough, and not guessed elsewhere."""

import pytest

from lexitune.text.language import language_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The tenant shall return the deposit within thirty days after the lease has ended.", "en"),
        ("Le locataire rend le logement dans l'état où il l'a reçu, sauf usure normale.", "fr"),
        ("El contrato es nulo cuando va contra la ley, y las partes se devuelven lo que recibieron.", "es"),
        ("Der Mieter gibt die Wohnung nach dem Ende des Mietverhältnisses sauber zurück.", "de"),
        ("too short", ""),
        ("for f in *.txt; do mv $f ${f%.txt}.md; done; ls -la | grep -v md | xargs rm -rf", ""),
        ("lsblk | grep $(cat -U '5a3f9c01-77de-4b1a-9e02-8d61c0aa4f3b') | grep '/srv/LM_Disk_2 '", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text(text: str, expected: str) -> None:
    assert language_of(text) == expected
