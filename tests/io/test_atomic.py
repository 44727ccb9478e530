"""Writing: the old file or the new one, never half of either, and nothing left lying about."""

import errno
from pathlib import Path

import pytest

from lexitune.errors import StageFailed
from lexitune.io.atomic import TEMPORARY, append_line, remove, replace_text, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(path: Path, error: BaseException) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise error


def test_a_block_that_ends_well_replaces_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"

    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("half way"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_an_exception_in_the_middle_leaves_the_old_file_and_no_temporary_file(
    tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(type(error)):
        fail_half_way(tmp_path / "a.txt", error)

    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(StageFailed) as caught:
        fail_half_way(tmp_path / "a.txt", OSError(errno.ENOSPC, "No space left on device"))

    assert caught.value.code == "E1001"
    assert caught.value.problem == f"cannot write {tmp_path / 'a.txt'}: no space left on device"
    assert "free space" in caught.value.fix
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_reading_inside_the_block_is_not_taken_for_an_error_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        (tmp_path / "absent").read_text()


def test_a_block_that_writes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageFailed), replacing(tmp_path / "a.txt"):
        pass

    assert names(tmp_path) == []


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageFailed) as caught:
        replace_text(tmp_path / ("x" * 300), "text")

    assert caught.value.code == "E1001"


def test_folders_are_made_and_non_ascii_names_and_blanks_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "übung.txt"

    replace_text(path, "naïve\n")

    assert path.read_bytes() == "naïve\n".encode()


def test_a_line_is_appended_and_a_half_line_before_it_is_closed_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    append_line(path, '{"a": 1}')
    with path.open("a") as file:
        file.write('{"a": ')  # a writer was killed here

    append_line(path, '{"a": 3}')

    assert path.read_text() == '{"a": 1}\n{"a": \n{"a": 3}\n'


def test_a_folder_that_is_being_removed_is_never_half_there_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "x").write_text("x")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove(tmp_path / "m")

    (left,) = tmp_path.iterdir()
    assert left.name.startswith(TEMPORARY)
    remove(left)
    assert names(tmp_path) == []


def test_what_a_link_points_at_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "m").symlink_to(tmp_path / "far")

    remove(tmp_path / "m")
    remove(tmp_path / "m")  # gone already

    assert names(tmp_path) == ["far"]
