"""The screen: what is redrawn, what is left, and what a log file gets."""

import io
from collections.abc import Callable

import pytest

from lexitune.cli.talk import Screen, screen_on

STEPS = ("assess", "train", "reembed", "evaluate", "promote")


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def screen(clock: Clock, *, live: bool = True, columns: int = 80, steps: tuple[str, ...] = STEPS) -> Screen:
    return Screen(io.StringIO(), live=live, steps=steps, columns=lambda: columns, clock=clock)


def written(made: Screen) -> str:
    assert isinstance(made.stream, io.StringIO)
    return made.stream.getvalue()


def shown(made: Screen) -> list[str]:
    """What a terminal shows of it: a carriage return goes back to the first column."""
    lines = []
    for raw in written(made).split("\n"):
        line = ""
        for piece in raw.split("\r"):
            line = piece + line[len(piece) :]
        lines.append(line.rstrip())
    return lines


def run(made: Screen, clock: Clock, stage: str, *, seconds: float, units: int, note: str = "") -> None:
    """Report `units` of 100, evenly over `seconds`, from 0."""
    made.progress(stage, 0, 100, note)
    for unit in range(1, units + 1):
        clock.now += seconds / units
        made.progress(stage, unit, 100, note)


def test_the_line_of_a_running_stage() -> None:
    clock = Clock()
    made = screen(clock)

    # 41 units in 82 s are 0.5 a second, so 59 more take 118 s.
    run(made, clock, "train", seconds=82, units=41, note="loss 1.23  dev R@10 0.61")

    assert shown(made) == ["2/5 train    ####------  41 %  loss 1.23  dev R@10 0.61  ETA 1:58"]


def test_the_hint_is_shown_where_it_fits() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "train", seconds=82, units=41, note="loss 1.23")

    assert shown(made) == ["2/5 train    ####------  41 %  loss 1.23  ETA 1:58  (Ctrl-C resumes)"]


def test_a_narrow_window_cuts_the_note_and_keeps_the_eta() -> None:
    clock = Clock()
    made = screen(clock, columns=50)

    run(made, clock, "train", seconds=82, units=41, note="loss 1.23  dev R@10 0.61")

    # 49 columns: 31 for bar and share with their blanks, 8 for the ETA, 2 between: 8 are left for the note.
    assert shown(made) == ["2/5 train    ####------  41 %  loss 1.2  ETA 1:58"]


def test_no_line_is_wider_than_80_columns_even_on_a_wide_screen() -> None:
    clock = Clock()
    made = screen(clock, columns=300)

    run(made, clock, "train", seconds=100, units=100, note="x" * 200)
    made.close()

    assert max(map(len, shown(made))) == 79


def test_a_finished_step_leaves_one_line_when_the_next_begins() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "assess", seconds=12, units=100)
    run(made, clock, "train", seconds=130, units=100, note="loss 0.90")
    made.close()

    assert shown(made) == ["1/5 assess   done in 0:12", "2/5 train    done in 2:10  loss 0.90", ""]


def test_a_second_pass_of_a_step_leaves_no_second_line() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "assess", seconds=10, units=100)
    run(made, clock, "assess", seconds=20, units=100)
    made.close()

    assert shown(made) == ["1/5 assess   done in 0:30", ""]


def test_a_stage_that_is_no_step_leaves_nothing() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "encode", seconds=10, units=100)
    made.close()

    assert shown(made) == [""]


def test_a_command_of_one_stage_needs_no_numbers() -> None:
    clock = Clock()
    made = screen(clock, steps=())

    run(made, clock, "train", seconds=10, units=100)
    made.close()

    assert shown(made) == ["train    done in 0:10", ""]


def test_a_fact_stands_above_the_running_line() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "train", seconds=50, units=50)
    made.say("a fact")
    clock.now += 1
    made.progress("train", 51, 100)

    assert shown(made) == ["a fact", "2/5 train    #####-----  51 %  ETA 0:49  (Ctrl-C resumes)"]


def test_a_fact_told_at_the_end_stands_below_the_steps_line() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "train", seconds=50, units=100)
    made.say("a fact")

    assert shown(made) == ["2/5 train    done in 0:50", "a fact", ""]


def test_an_interrupted_stage_stays_as_it_was_drawn() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "train", seconds=50, units=50)
    made.close()
    made.close()

    assert shown(made) == ["2/5 train    #####-----  50 %  ETA 0:50  (Ctrl-C resumes)", ""]


def test_what_an_earlier_run_did_says_nothing_about_the_rate() -> None:
    clock = Clock()
    made = screen(clock)

    made.progress("train", 90, 100)
    clock.now += 1
    made.progress("train", 91, 100)

    assert "ETA 0:09" in shown(made)[0]


def test_a_slower_rate_is_believed_after_a_while() -> None:
    clock = Clock()
    made = screen(clock)
    run(made, clock, "train", seconds=50, units=50)  # one unit a second

    for unit in range(51, 71):  # and then ten seconds a unit, for 200 s
        clock.now += 10
        made.progress("train", unit, 100)

    assert "ETA 5:00" in shown(made)[0]  # 30 units at ten seconds


def test_redrawing_is_spared() -> None:
    clock = Clock()
    made = screen(clock)

    for unit in range(50):
        made.progress("train", unit, 100)

    assert written(made).count("\r") == 1


def test_a_log_gets_a_plain_line_every_30_seconds() -> None:
    clock = Clock()
    made = screen(clock, live=False)

    run(made, clock, "train", seconds=100, units=100)
    made.close()

    assert written(made) == (
        "2/5 train    ###-------  30 %  ETA 1:10\n"
        "2/5 train    ######----  60 %  ETA 0:40\n"
        "2/5 train    #########-  90 %  ETA 0:10\n"
        "2/5 train    done in 1:40\n"
    )


@pytest.mark.parametrize(
    ("case", "stream", "environ", "live"),
    [
        ("a terminal", Terminal, {"TERM": "xterm"}, True),
        ("a terminal that cannot go back", Terminal, {"TERM": "dumb"}, False),
        ("a file", io.StringIO, {"TERM": "xterm"}, False),
    ],
)
def test_where_lines_are_redrawn(
    case: str, stream: Callable[[], io.StringIO], environ: dict[str, str], live: bool
) -> None:
    assert screen_on(stream(), steps=STEPS, environ=environ).live is live, case


def test_no_colour_is_ever_written() -> None:
    clock = Clock()
    made = screen(clock)

    run(made, clock, "train", seconds=50, units=100)
    made.say("a fact")

    assert "\x1b" not in written(made)
