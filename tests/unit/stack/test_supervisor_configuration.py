from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from sos_ops.stack.layout import layout
from sos_ops.stack.programs import program_environment, programs
from sos_ops.stack.secrets import load_or_create
from sos_ops.stack.supervision import supervisor_configuration

from .conftest import MakeSettings


def read_by_supervisor(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ServerOptions:
    (folder / "run").mkdir(parents=True)
    (folder / "logs").mkdir()
    path = folder / "run" / "supervisor.conf"
    path.write_text(text)
    monkeypatch.chdir(folder / "run")
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return options


def test_the_supervisor_understands_its_configuration(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    options = read_by_supervisor(supervisor_configuration(settings), tmp_path / "a b%", monkeypatch)
    found = {item.name: item for group in options.process_group_configs for item in group.process_configs}
    assert set(found) == {item.name for item in programs(settings)}
    for item in found.values():
        assert item.startretries > 100_000
        assert item.autorestart
        assert item.killasgroup
        assert item.command.endswith(f"-m sos_ops.stack.launch {item.name}")
        assert item.stdout_logfile_maxbytes > 0
        assert Path(item.stdout_logfile).resolve().parent == tmp_path / "a b%" / "logs"


def test_postgresql_ends_after_all_others_and_the_scheduler_before_the_api(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = read_by_supervisor(supervisor_configuration(make_settings()), tmp_path / "x", monkeypatch)
    order = {
        item.name: group.priority for group in options.process_group_configs for item in group.process_configs
    }
    assert all(order["postgres"] < other for name, other in order.items() if name != "postgres")
    assert order["airflow-scheduler"] > order["airflow-api-server"]
    assert order["watchdog"] == max(order.values())


def test_no_postgresql_is_run_beside_an_own_server(make_settings: MakeSettings) -> None:
    text = supervisor_configuration(make_settings(database_url="postgresql://me@db/plant"))
    parser = RawConfigParser()
    parser.read_string(text)
    assert "program:postgres" not in parser.sections()
    assert "program:airflow-scheduler" in parser.sections()


def test_no_secret_is_written_into_the_configuration(make_settings: MakeSettings) -> None:
    settings = make_settings()
    secrets = load_or_create(settings)
    text = supervisor_configuration(settings)
    assert not [value for value in vars(secrets).values() if value in text]


def test_only_airflows_programs_get_airflows_secrets(make_settings: MakeSettings) -> None:
    settings = make_settings()
    fernet = load_or_create(settings).airflow_fernet_key
    knowing = {
        item.name
        for item in programs(settings)
        if fernet in program_environment(settings, item.name).values()
    }
    assert knowing == {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}


def test_programs_keep_their_files_in_the_home_and_talk_to_each_other_directly(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(airflow_port=18123)
    caller = {
        "XDG_RUNTIME_DIR": "/run/user/0",
        "HOME": "",
        "no_proxy": "intranet",
        "http_proxy": "http://proxy:3128",
    }
    environment = program_environment(settings, "dashboard", caller)
    assert environment["HOME"] == str(layout(settings).user_home)
    assert "XDG_RUNTIME_DIR" not in environment
    assert environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert environment["SOS_AIRFLOW_PORT"] == "18123"
    assert "SOS_DATABASE_URL" not in environment
