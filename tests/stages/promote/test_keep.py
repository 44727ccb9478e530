"""Keep: how long what served before is kept, as the log of what served says it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from tests.heard import Heard

from lexitune.cli.main import main
from lexitune.errors import UsageError
from lexitune.io.workspace import Workspace
from lexitune.stages.promote.driver import rollback, run
from lexitune.stages.promote.keep import keep_time, kept
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import switch

A, B = (Serving(name, "vectors/tuned", {}) for name in "ab")


@pytest.mark.parametrize(("text", "hours"), [("0d", 0), ("12h", 12), ("7d", 168), ("4w", 672)])
def test_a_time_is_read(text: str, hours: int) -> None:
    assert keep_time(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7days", "1.5d", "99999w"])
def test_what_is_no_time_is_refused_before_the_gate_is_asked(text: str, ready: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        run(ready, options=PromoteOptions(keep=text))

    assert caught.value.code == "E2002"
    assert not ready.verdicts.exists()


def test_a_time_in_the_file_is_checked_with_its_line(ready: Workspace) -> None:
    ready.config.write_text('[promote]\nkeep = "a week"\n')

    result = CliRunner().invoke(main, ["-C", str(ready.root), "promote", "--yes"])

    assert result.exit_code == 2
    assert "lexitune.toml:2: keep in [promote]: 'a week' cannot be read" in result.stderr


def test_a_promotion_notes_until_when_what_served_before_is_kept(ready: Workspace) -> None:
    heard = Heard()
    run(ready, options=PromoteOptions(keep="2w"), talk=heard)

    (entry,) = map(json.loads, (ready.root / "serving-log.jsonl").read_text().splitlines())
    began, until = (datetime.fromisoformat(text) for text in (entry["serving"]["at"], entry["kept_until"]))
    assert abs(until - began - timedelta(weeks=2)) < timedelta(seconds=1)
    (one,) = kept(ready)
    assert (one.serving.model, one.until, one.is_over) == ("minilm", until, False)
    assert heard.lines[1] == f"what served before it is kept until {until:%Y-%m-%d %H:%M} UTC"


def test_by_default_it_is_a_week_and_zero_is_over_at_once(
    ready: Workspace,
    evaluation: Callable[..., dict[str, Any]],
    restage: Callable[[Workspace, str, dict[str, Any]], None],
) -> None:
    run(ready)
    week = kept(ready)[0].until
    rollback(ready)
    run(ready, options=PromoteOptions(keep="0d"))

    assert week is not None
    assert timedelta(days=6) < week - datetime.now(week.tzinfo) < timedelta(days=7)
    assert kept(ready)[0].is_over


def test_what_was_rolled_back_is_no_longer_kept(ready: Workspace) -> None:
    run(ready)
    rollback(ready)

    assert kept(ready) == []


def test_the_longest_time_counts_and_without_an_end_it_never_is_over(ready: Workspace) -> None:
    for before, to, until in ((A, B, "2030-01-01T00:00:00+00:00"), (B, A, ""), (A, B, "2020-01-01T00:00:00+00:00")):
        switch(ready, action="promote", to=to, before=before, kept_until=until)

    found = [(one.serving.model, str(one), one.is_over) for one in kept(ready)]

    assert found == [("a", "kept until 2030-01-01 00:00 UTC", False), ("b", "kept without an end", False)]
