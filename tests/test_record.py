"""The shapes of what is recorded, and their plain JSON."""

from __future__ import annotations

from mgit_hooks.record import FileChange


def test_a_change_of_a_file_says_all_its_fields_in_their_order() -> None:
    change = FileChange(*(str(number) for number in range(len(FileChange._fields))))  # type: ignore[arg-type]
    assert list(change.to_json().items()) == list(change._asdict().items())
