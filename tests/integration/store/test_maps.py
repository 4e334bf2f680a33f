"""Protocol maps in the database: every version stays, the newest counts."""

from __future__ import annotations

import pytest

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map, bundled_map_names
from sos_ops.store import maps
from sos_ops.store.devices import add_device
from sos_ops.store.maps import (
    ensure_map,
    map_by_id,
    newest_map,
    renew_bundled_maps,
    save_map,
    stored_maps,
)
from tests.support.database import Database
from tests.support.maps import small_map


def save(database: Database, protocol_map: ProtocolMap) -> int:
    with database.connect() as connection:
        return save_map(connection, protocol_map)


@pytest.mark.parametrize("name", bundled_map_names())
def test_every_bundled_map_comes_back_as_it_was_stored(database: Database, name: str) -> None:
    map_id = save(database, bundled_map(name))
    with database.connect() as connection:
        stored = newest_map(connection, name)
        assert map_by_id(connection, map_id) == stored
    assert (stored.map_id, stored.protocol_map) == (map_id, bundled_map(name))


def test_the_same_version_stored_twice_is_one(database: Database) -> None:
    assert save(database, small_map()) == save(database, small_map())
    assert database.value("select count(*) from sos_ops.protocol_map") == 1


def test_the_newest_version_counts_and_the_old_ones_stay(database: Database) -> None:
    first = save(database, small_map())
    second = save(database, small_map(version=2, scale="0.01"))
    with database.connect() as connection:
        assert newest_map(connection, "small").map_id == second
        assert map_by_id(connection, first).protocol_map == small_map()
        listed = [(m.name, m.version) for m in stored_maps(connection)]
    assert listed == [("small", 1), ("small", 2)]


def test_a_version_is_never_given_another_content(database: Database) -> None:
    save(database, small_map())
    with pytest.raises(InvalidConfigurationError, match="raise the version"):
        save(database, small_map(scale="0.01"))
    with pytest.raises(SosOpsError, match="add a new version"):
        database.run("update sos_ops.protocol_map set content = 'x'")


def test_an_older_version_than_the_newest_is_refused(database: Database) -> None:
    save(database, small_map(version=3))
    with pytest.raises(InvalidConfigurationError, match="raise the version to 4"):
        save(database, small_map(version=2))


def test_a_bundled_map_is_stored_the_first_time_a_device_names_it(database: Database) -> None:
    with database.connect() as connection:
        add_device(
            connection, name="r", site="testbed", host="h", port=502, unit_id=1, protocol_map="keti_bank"
        )
        assert newest_map(connection, "keti_bank").protocol_map == bundled_map("keti_bank")
        (listed,) = stored_maps(connection)
    assert listed.devices == 1


def test_a_device_with_a_map_that_nobody_knows_is_refused(database: Database) -> None:
    with database.connect() as connection, pytest.raises(UnknownNameError, match="no_such_map"):
        add_device(
            connection, name="r", site="testbed", host="h", port=502, unit_id=1, protocol_map="no_such_map"
        )


def test_bundled_maps_known_to_the_database_are_brought_to_their_newest_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "bundled_map_names", lambda: ["other", "small"])
    monkeypatch.setattr(maps, "bundled_map", lambda _name: small_map(version=2))
    save(database, small_map())
    with database.connect() as connection:
        assert renew_bundled_maps(connection) == ["map small: version 1 -> 2, as it comes with the platform"]
        assert renew_bundled_maps(connection) == []
        assert newest_map(connection, "small").protocol_map.version == 2
        with pytest.raises(UnknownNameError):
            newest_map(connection, "other")


def test_a_bundled_map_that_somebody_changed_is_left_alone_and_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "bundled_map_names", lambda: ["small"])
    monkeypatch.setattr(maps, "bundled_map", lambda _name: small_map())
    own = small_map(scale="0.01")
    save(database, own)
    with database.connect() as connection:
        (line,) = renew_bundled_maps(connection)
        assert newest_map(connection, "small").protocol_map == own
    assert "stays" in line


def test_a_map_stored_by_hand_goes_before_the_bundled_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "bundled_map", lambda _name: small_map())
    own = small_map(version=7, scale="0.01")
    save(database, own)
    with database.connect() as connection:
        assert ensure_map(connection, "small").protocol_map == own
