"""Checkpoints: what is written comes back, what is damaged is passed over, and another training's is refused."""

from pathlib import Path

import pytest
import torch
from tests.heard import Heard

from lexitune.errors import StageFailed, UsageError
from lexitune.stages.train import checkpoint
from lexitune.stages.train.progress import Progress

MADE_OF = {"train": "aa", "model": "bb"}


def trained(steps: int) -> tuple[list[torch.nn.Parameter], torch.optim.AdamW]:
    parameters = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2, 2))]
    optimizer = torch.optim.AdamW(parameters, lr=0.1)
    for _ in range(steps):
        sum((parameter**2).sum() for parameter in parameters).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
    return parameters, optimizer


def save_at(folder: Path, step: int, made_of: dict[str, str] = MADE_OF) -> Path:
    parameters, optimizer = trained(step)
    progress = Progress(step=step, curve=[{"step": float(step), "loss": 0.5}], seconds=2.0)
    return checkpoint.save(folder, parameters=parameters, optimizer=optimizer, progress=progress, fingerprints=made_of)


def test_training_on_from_a_checkpoint_is_training_on(tmp_path: Path) -> None:
    saved = save_at(tmp_path, 3)
    expected, _ = trained(4)

    parameters, optimizer = trained(0)
    progress = checkpoint.restore(saved, parameters=parameters, optimizer=optimizer)
    sum((parameter**2).sum() for parameter in parameters).backward()  # type: ignore[union-attr]
    optimizer.step()

    assert progress == Progress(step=3, curve=[{"step": 3.0, "loss": 0.5}], seconds=2.0)
    assert all(torch.equal(a, b) for a, b in zip(parameters, expected, strict=True))


def test_two_are_kept_and_no_pickle_among_them(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_at(tmp_path, step)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000002", "step-000003"]
    assert sorted(path.name for path in (tmp_path / "step-000003").iterdir()) == [
        "complete.json", "optimizer.safetensors", "state.json", "weights.safetensors",
    ]  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("case", "damage", "reason"),
    [
        ("weights cut short", lambda folder: cut(folder / "weights.safetensors"), "weights.safetensors is damaged"),
        ("no optimiser", lambda folder: (folder / "optimizer.safetensors").unlink(), "it is incomplete"),
        ("killed before the marker", lambda folder: (folder / "complete.json").unlink(), "it is incomplete"),
        ("marker cut short", lambda folder: cut(folder / "complete.json"), "it is incomplete"),
    ],
)
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, case: str, damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    save_at(tmp_path, 1)
    damage(save_at(tmp_path, 2))
    heard = Heard()

    found = checkpoint.newest(tmp_path, fingerprints=MADE_OF, talk=heard)

    assert found == tmp_path / "step-000001"
    assert heard.lines == [f"checkpoint step-000002 is not used: {reason}"]


def test_another_trainings_checkpoint_is_refused_and_the_differences_are_named(tmp_path: Path) -> None:
    save_at(tmp_path / "checkpoints", 1, {**MADE_OF, "train": "cc", "seed": "13"})

    with pytest.raises(UsageError) as caught:
        checkpoint.newest(tmp_path / "checkpoints", fingerprints=MADE_OF, talk=Heard())

    assert caught.value.problem == (
        f"{tmp_path} holds an unfinished training of another kind: seed was 13, is not set; "
        f"train was cc, is {MADE_OF['train']}"
    )
    assert caught.value.fix == f"go on with the same data and options, or begin anew: rm -r {tmp_path}"
    assert (tmp_path / "checkpoints" / "step-000001").exists()


def test_on_another_machine_it_goes_on_and_says_so(tmp_path: Path) -> None:
    made = save_at(tmp_path, 1, {**MADE_OF, "torch": "2.12", "device": "cuda"})
    heard = Heard()

    assert checkpoint.newest(tmp_path, fingerprints={**MADE_OF, "torch": "2.13", "device": "cpu"}, talk=heard) == made
    assert heard.lines == [
        "the training goes on elsewhere, so its figures agree within rounding only: "
        "device was cuda, is cpu; torch was 2.12, is 2.13"
    ]


def test_the_best_weights_stay_as_long_as_a_checkpoint_names_them(tmp_path: Path) -> None:
    names = []
    for step, best in ((1, 1), (2, 2), (3, 2), (4, 2)):
        parameters, optimizer = trained(step)
        progress = Progress(step=step, best_step=best, best_dev=0.5)
        checkpoint.save_best(tmp_path, parameters, progress=progress)
        checkpoint.save(tmp_path, parameters=parameters, optimizer=optimizer, progress=progress, fingerprints=MADE_OF)
        names.append(sorted(path.name for path in tmp_path.glob("best-*")))

    one, two = "best-000001.safetensors", "best-000002.safetensors"
    assert names == [[one], [one, two], [two], [two]]


def test_a_checkpoint_whose_best_weights_are_gone_is_not_used(tmp_path: Path) -> None:
    parameters, optimizer = trained(1)
    progress = Progress(step=1, best_step=1, best_dev=0.5)
    checkpoint.save_best(tmp_path, parameters, progress=progress)
    checkpoint.save(tmp_path, parameters=parameters, optimizer=optimizer, progress=progress, fingerprints=MADE_OF)
    checkpoint.best_weights(tmp_path, progress).unlink()
    heard = Heard()

    assert checkpoint.newest(tmp_path, fingerprints=MADE_OF, talk=heard) is None
    assert heard.lines == ["checkpoint step-000001 is not used: the best weights it names are missing or damaged"]


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))

    with pytest.raises(StageFailed) as caught:
        save_at(tmp_path, 1)

    assert caught.value.code == "E1204"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_full_for_the_best_weights_is_told_before_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    parameters, _ = trained(0)

    with pytest.raises(StageFailed) as caught:
        checkpoint.save_best(tmp_path, parameters, progress=Progress(step=1, best_step=1))

    assert caught.value.code == "E1204"
    assert list(tmp_path.iterdir()) == []
