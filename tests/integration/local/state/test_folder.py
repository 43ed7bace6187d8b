"""The state folder: what it keeps, who may read it, and that it belongs to one stack at a time."""

import json
import stat
from pathlib import Path

import pytest

from local.errors import LocalStackError
from local.state.folder import Announcement, StateFolder, open_state
from local.state.seed import SeededTenant

ACCOUNT = SeededTenant("tnt_1", "cm_live_1", "cm_test_1")
ANNOUNCEMENT = Announcement(
    base_url="http://127.0.0.1:8000", live_key="cm_live_1", test_key="cm_test_1", tenant_id="tnt_1", endpoints={}
)


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    with open_state(tmp_path / "new" / "state") as state:
        fresh = state.secrets()
        state.store_secrets(fresh.model_copy(update={"account": ACCOUNT}))
    with open_state(tmp_path / "new" / "state") as state:
        again = state.secrets()
    assert (again.pepper, again.sealing_key, again.account) == (fresh.pepper, fresh.sealing_key, ACCOUNT)
    assert len(bytes.fromhex(fresh.pepper)) == len(bytes.fromhex(fresh.sealing_key)) == 32


def test_missing_secrets_of_an_older_file_are_created_once(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"pepper": "00" * 32}))
    with open_state(tmp_path) as state:
        first = state.secrets()
        assert first.pepper == "00" * 32
        assert state.secrets() == first


def test_older_file_gets_the_payment_gateways_secret_and_keeps_the_others(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        state.store_secrets(state.secrets().model_copy(update={"account": ACCOUNT}))
        kept = json.loads((tmp_path / "secrets.json").read_text())
        del kept["cashfree_secret"]
        (tmp_path / "secrets.json").write_text(json.dumps(kept))
        first = state.secrets()
        assert (first.pepper, first.account) == (kept["pepper"], ACCOUNT)
        assert first.cashfree_secret.startswith("cfsk_")
        assert state.secrets() == first


def test_clearing_removes_data_and_secrets_and_nothing_else(tmp_path: Path) -> None:
    with open_state(tmp_path):
        pass
    (tmp_path / "dynamodb").mkdir()
    (tmp_path / "dynamodb" / "file").touch()
    (tmp_path / "mine.txt").touch()
    with open_state(tmp_path) as state:
        pepper = state.secrets().pepper
        state.clear()
        assert state.secrets().pepper != pepper
    assert not (tmp_path / "dynamodb").exists()
    assert (tmp_path / "mine.txt").exists()


def test_an_announcement_is_private_whole_and_gone_at_the_end(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        state.announce(ANNOUNCEMENT)
        assert stat.S_IMODE(state.announcement.stat().st_mode) == 0o600
        assert Announcement.model_validate_json(state.announcement.read_bytes()) == ANNOUNCEMENT
    assert not state.announcement.exists()


def test_a_stale_announcement_is_gone_at_the_start(tmp_path: Path) -> None:
    with open_state(tmp_path):
        pass
    StateFolder(tmp_path).announce(ANNOUNCEMENT)
    with open_state(tmp_path) as state:
        assert not state.announcement.exists()


def test_the_folder_ignores_itself_in_git(tmp_path: Path) -> None:
    with open_state(tmp_path):
        assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_a_folder_belongs_to_one_stack_at_a_time(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        state.announce(ANNOUNCEMENT)
        with pytest.raises(LocalStackError, match="in use by another stack"), open_state(tmp_path):
            pass
        assert state.announcement.exists()


def test_a_gitignore_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    with open_state(tmp_path):
        (tmp_path / ".gitignore").write_text("*\n!notes.txt\n")
    with open_state(tmp_path):
        assert (tmp_path / ".gitignore").read_text() == "*\n!notes.txt\n"


FOREIGN = [
    {".gitignore": "node_modules\n"},
    {"notes.txt": "mine"},
    {"dynamodb/table": "mine", "logs/app.log": "mine"},
    {"secrets.json": '{"password": "mine"}'},
    {"secrets.json": "["},
    {"secrets.json/nested": "mine"},
    {"lock": "mine"},
    {"dev.json": "{}"},
    {".git/config": "mine"},
]


@pytest.mark.parametrize("files", FOREIGN, ids=lambda files: "+".join(files))
def test_a_foreign_folder_is_refused_and_stays_as_it_is(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    with pytest.raises(LocalStackError, match="not a local stack's"), open_state(tmp_path) as state:
        state.clear()

    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == files


def test_a_link_to_a_foreign_folder_is_refused_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").touch()
    (tmp_path / "state").symlink_to(mine)

    with pytest.raises(LocalStackError, match="not a local stack's"), open_state(tmp_path / "state"):
        pass

    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["file", "file/state", "x" * 300, "state/logs", "state/lock", "state/dev.json"])
def test_a_folder_that_cant_be_used_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with open_state(tmp_path / "state"):
        pass
    folder, blocked = (tmp_path / "state", name[6:]) if name.startswith("state/") else (tmp_path / name, None)
    if blocked == "logs":
        (folder / blocked).rmdir()
        (folder / blocked).touch()
    elif blocked:
        (folder / blocked).unlink(missing_ok=True)
        (folder / blocked).mkdir()

    with pytest.raises(LocalStackError) as refused, open_state(folder):
        pass

    assert "\n" not in str(refused.value)
    assert "can't be used" in str(refused.value)


def test_damaged_secrets_are_named(tmp_path: Path) -> None:
    with open_state(tmp_path):
        pass
    (tmp_path / "secrets.json").write_text("{")
    with open_state(tmp_path) as state, pytest.raises(LocalStackError, match=r"secrets\.json is damaged"):
        state.secrets()
