"""Results from files land as they would through the partner's door, and what is wrong costs only itself."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sos_ops.errors import SosOpsError
from sos_ops.imports.chunk import Reason
from sos_ops.pipeline.history import fill
from sos_ops.pipeline.import_file import preview
from sos_ops.store.checks import change_checks
from tests.support.data_sets import (
    LONG,
    WIDE,
    bring_in,
    data_file,
    everything,
    laboratory,
    mapping,
    refused,
    results,
)
from tests.support.database import Database
from tests.support.plant import at, offer, validate

WIDE_TEXT = "time,t,v,other\n2026-03-01 00:01,35.5,3.9,x\n2026-03-01 00:02,46,3.8,y\n"
LONG_TEXT = (
    "time,tag,value\n2026-03-01 00:01,over_temp,35.5\n2026-03-01 00:01,under_volt,3.9\n"
    "2026-03-01 00:02,over_temp,46\n2026-03-01 00:02,under_volt,3.8\n"
)
THE_ROWS = [
    ("over_temp", at(1), 35.5, "N"),
    ("over_temp", at(2), 46.0, "N"),
    ("under_volt", at(1), 3.9, "N"),
    ("under_volt", at(2), 3.8, "N"),
]


@pytest.fixture
def lab(database: Database) -> Database:
    laboratory(database)
    return database


def test_a_wide_and_a_long_file_of_the_same_results_come_out_the_same(lab: Database, tmp_path: Path) -> None:
    outcome = bring_in(lab, data_file(tmp_path, WIDE_TEXT), mapping(WIDE))
    assert results(lab) == THE_ROWS
    assert outcome.report.not_imported == ("other",)
    outcome = bring_in(lab, data_file(tmp_path, LONG_TEXT), mapping(LONG))
    assert results(lab) == THE_ROWS
    assert (outcome.report.stored, outcome.report.known, outcome.report.refused) == (0, 4, ())


@pytest.mark.parametrize(
    "form", ["gz", "parquet", "parquet_text", "bom", "crlf", "mixed", "cr", "utf16", "quoted"]
)
def test_the_same_results_come_out_of_every_form_of_file(lab: Database, tmp_path: Path, form: str) -> None:
    its_mapping = mapping(WIDE)
    path = data_file(tmp_path, WIDE_TEXT)
    if form == "gz":
        path = data_file(tmp_path, gzip.compress(WIDE_TEXT.encode()), "data.csv.gz")
    elif form.startswith("parquet"):
        path = tmp_path / "data.parquet"
        times: list[object] = (
            [at(1), at(2)] if form == "parquet" else ["2026-03-01 00:01", "2026-03-01 00:02"]
        )
        pq.write_table(pa.table({"time": times, "t": [35.5, 46.0], "v": [3.9, 3.8]}), path, row_group_size=1)
    elif form == "bom":
        path = data_file(tmp_path, b"\xef\xbb\xbf" + WIDE_TEXT.encode())
    elif form == "crlf":
        path = data_file(tmp_path, WIDE_TEXT.replace("\n", "\r\n"))
    elif form == "mixed":
        path = data_file(tmp_path, WIDE_TEXT.replace("x\n", "x\r\n").replace("y\n", "y\r"))
    elif form == "cr":
        path = data_file(tmp_path, WIDE_TEXT.replace("\n", "\r"))
    elif form == "utf16":
        path = data_file(tmp_path, WIDE_TEXT.encode("utf-16"))
        its_mapping = mapping(WIDE, file={"encoding": "utf-16"})
    elif form == "quoted":
        path = data_file(tmp_path, WIDE_TEXT.replace("x", '"say ""x"", twice"').replace("46", '"46"'))
    outcome = bring_in(lab, path, its_mapping)
    assert results(lab) == THE_ROWS
    assert outcome.report.refused == ()


def test_every_wrong_cell_and_line_is_refused_by_itself_with_its_line(lab: Database, tmp_path: Path) -> None:
    text = (
        "time,t,v\n"
        "2026-03-01 00:01,35.5,3.9\n"  # 2
        "2026-03-01 00:02,warm,3.8\n"
        "yesterday,35,3.8\n"
        "2026-02-30 00:02,35,3.8\n"  # 5
        "1899-12-31 23:59,35,3.8\n"
        "2100-01-01 00:00,35,3.8\n"
        "2026-03-01 00:03,inf,3.7\n"
        "2026-03-01 00:04,36\n"
        "2026-03-01 00:05,36,3.7,1\n"  # 10
        '2026-03-01 00:06,"36,3.7\n'
        "2026-03-01 00:07,1e999,NA\n"
        "\n"
        ",36,3.7\n"  # 14
        "2026-03-01 00:08,36,\n"
    )
    broken = text.encode() + b"2026-03-01 00:09,\xff\xfe,3.6\n2026-03-01 00:10,36,3.5"
    outcome = bring_in(lab, data_file(tmp_path, broken), mapping(WIDE))
    assert refused(outcome) == {
        Reason.NO_NUMBER: (3,),
        Reason.NO_TIME: (4, 5, 14),
        Reason.BEFORE_1900: (6,),
        Reason.FUTURE: (7,),
        Reason.NOT_FINITE: (8, 12),
        Reason.COLUMNS: (9, 10),
        Reason.QUOTES: (11,),
        Reason.ENCODING: (16,),
    }
    assert [(tag, ts) for tag, ts, _, _ in results(lab)] == [
        ("over_temp", at(1)),
        ("over_temp", at(8)),
        ("over_temp", at(10)),
        ("under_volt", at(1)),
        ("under_volt", at(2)),
        ("under_volt", at(3)),
        ("under_volt", at(10)),
    ]
    assert outcome.report.missing == 2
    assert outcome.report.refused_file is not None
    told = Path(outcome.report.refused_file).read_text().splitlines()
    assert told[0] == "line,column,reason,content"
    assert len(told) == 13
    assert told[1].startswith("3,t,no number,warm")


def test_a_long_file_may_name_unknown_tags_or_none(lab: Database, tmp_path: Path) -> None:
    text = (
        "time,tag,value\n2026-03-01 00:01,over_temp,35\n2026-03-01 00:01,soh,99\n2026-03-01 00:01,,1\n"
        "2026-03-01 00:02,T1,36\n2026-03-01 00:02,mV,3900\n"
    )
    names = {"T1": "over_temp", "mV": {"tag": "under_volt", "scale": 0.001}}
    outcome = bring_in(
        lab, data_file(tmp_path, text), mapping(LONG, long={"name": "tag", "value": "value", "names": names})
    )
    assert refused(outcome) == {Reason.UNKNOWN_NAME: (3,), Reason.NO_NAME: (4,)}
    assert results(lab) == [
        ("over_temp", at(1), 35.0, "N"),
        ("over_temp", at(2), 36.0, "N"),
        ("under_volt", at(2), 3.9, "N"),
    ]


def test_what_stands_stays_and_another_value_is_set_aside(lab: Database, tmp_path: Path) -> None:
    offer(lab, "suresoft", [(at(1), "over_temp", 50.0), (at(2), "over_temp", 46.0)])
    outcome = bring_in(lab, data_file(tmp_path, WIDE_TEXT), mapping(WIDE))
    assert (outcome.report.stored, outcome.report.known, outcome.report.set_aside) == (2, 1, 1)
    assert refused(outcome) == {Reason.SET_ASIDE: (2,)}
    assert lab.value("select value from sos_ops.result as r where ts = %s and value > 10", at(1)) == 50.0
    assert lab.rows("select value, reason from sos_ops.result_set_aside") == [
        (35.5, "a different value (50) for this tag and TIMESTAMP arrived first")
    ]


def test_of_two_values_in_one_file_the_first_line_stays_also_across_chunks(
    lab: Database, tmp_path: Path
) -> None:
    rows = [f"2026-03-01 00:{n:02d},over_temp,{n}" for n in range(60)] + ["2026-03-01 00:07,over_temp,77"] * 2
    path = data_file(tmp_path, "time,tag,value\n" + "\n".join(rows + rows[:5]))
    outcome = bring_in(lab, path, mapping(LONG), chunk_bytes=200)
    assert [value for _, _, value, _ in results(lab)] == [float(n) for n in range(60)]
    assert (outcome.report.stored, outcome.report.known, outcome.report.set_aside) == (60, 5, 2)
    assert refused(outcome) == {Reason.SET_ASIDE: (62, 63)}
    assert lab.value("select count(*) from sos_ops.result_set_aside") == 1


def test_times_out_of_order_are_as_good_as_in_order(lab: Database, tmp_path: Path) -> None:
    rows = [f"2026-03-01 {n // 60:02d}:{n % 60:02d},over_temp,{n}" for n in range(300)]
    path = data_file(
        tmp_path,
        "time,tag,value\n" + "\n".join(rows[::-7] + [r for n, r in enumerate(rows) if (299 - n) % 7]),
    )
    bring_in(lab, path, mapping(LONG), chunk_bytes=500)
    assert [value for _, _, value, _ in results(lab)] == [float(n) for n in range(300)]


def test_local_times_are_taken_by_their_zone_and_the_two_hours_of_a_clock_change_named(
    lab: Database, tmp_path: Path
) -> None:
    times = ("2025-07-01 12:00", "2025-03-30 02:30", "2025-10-26 02:30", "2025-12-01 12:00")
    text = "time,t,v\n" + "".join(f"{time},35,3.9\n" for time in times)
    berlin = {"column": "time", "zone": "Europe/Berlin"}
    path = data_file(tmp_path, text)
    outcome = bring_in(lab, path, mapping(WIDE, time=berlin))
    assert refused(outcome) == {Reason.TIME_SKIPPED: (3,), Reason.TIME_TWICE: (4,)}
    stands = "select to_char(ts at time zone 'UTC', 'MM-DD HH24:MI') from sos_ops.result where value > 10 order by ts"
    assert [row[0] for row in lab.rows(stands)] == ["07-01 10:00", "12-01 11:00"]
    bring_in(lab, path, mapping(WIDE, time={**berlin, "ambiguous": "earlier"}))
    bring_in(lab, path, mapping(WIDE, time={**berlin, "ambiguous": "later"}))
    assert [row[0] for row in lab.rows(stands)] == [
        "07-01 10:00",
        "10-26 00:30",
        "10-26 01:30",
        "12-01 11:00",
    ]


@pytest.mark.parametrize(
    ("time", "cell"),
    [
        ({"column": "time", "zone": "Asia/Seoul"}, "2026-03-01T09:01:00"),
        ({"column": "time", "zone": "+09:00"}, "2026-03-01 09:01:00.000"),
        ({"column": "time", "zone": "offset"}, "2026-03-01T09:01+09:00"),
        ({"column": "time", "zone": "offset"}, "2026-03-01 00:01:00.0000000Z"),
        ({"column": "time", "zone": "Asia/Seoul", "format": "%d.%m.%Y %H:%M"}, "01.03.2026 09:01"),
        ({"column": "time", "zone": "Asia/Seoul", "format": "%Y%m%d%H%M%S"}, "20260301090100"),
        ({"column": "time", "format": "unix_s"}, "1772323260"),
        ({"column": "time", "format": "unix_s"}, "1772323260.0"),
        ({"column": "time", "format": "unix_ms"}, "1772323260000"),
        ({"column": "time", "format": "unix_us"}, "1772323260000000"),
        ({"columns": ["time", "clock"], "zone": "Asia/Seoul"}, "2026-03-01,09:01"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.get("format", "iso"),
)
@pytest.mark.parametrize("spoil", [False, True], ids=["alone", "beside_a_bad_cell"])
def test_a_time_is_the_same_instant_however_it_is_written(
    lab: Database, tmp_path: Path, time: dict[str, object], cell: str, spoil: bool
) -> None:
    header = "time,clock,value" if "," in cell else "time,value"
    bad = f"{cell},bad\n" if spoil else ""
    path = data_file(tmp_path, f"{header}\n{cell},35\n{bad}")
    outcome = bring_in(lab, path, mapping(WIDE, time=time, columns={"value": "over_temp"}))
    assert results(lab) == [("over_temp", at(1), 35.0, "N")]
    assert refused(outcome) == ({Reason.NO_NUMBER: (3,)} if spoil else {})


@pytest.mark.parametrize(
    ("time", "cell"),
    [
        ({"column": "time", "zone": "offset"}, "2026-03-01T09:01"),
        ({"column": "time", "zone": "UTC"}, "2026-03-01T09:01Z"),
        ({"column": "time", "zone": "UTC"}, "2026"),
        ({"column": "time", "zone": "UTC", "format": "%d/%m/%Y %H:%M"}, "30/02/2026 09:01"),
        ({"column": "time", "zone": "UTC", "format": "%d/%m/%Y %H:%M"}, "03/13/2025 09:01"),
        ({"column": "time", "format": "unix_s"}, "nan"),
        ({"column": "time", "format": "unix_s"}, "1e300"),
    ],
    ids=str,
)
def test_a_time_that_is_not_what_the_mapping_says_is_never_guessed_at(
    lab: Database, tmp_path: Path, time: dict[str, object], cell: str
) -> None:
    path = data_file(tmp_path, f"time,value\n{cell},35\n")
    outcome = bring_in(lab, path, mapping(WIDE, time=time, columns={"value": "over_temp"}))
    assert results(lab) == []
    assert refused(outcome) == {Reason.NO_TIME: (2,)}


def test_units_decimal_commas_and_markers_are_as_the_mapping_says(lab: Database, tmp_path: Path) -> None:
    text = "time;mV;degF\n2026-03-01 00:01;4086;95,9\n2026-03-01 00:02;-9999;-9999,0\n2026-03-01 00:03;1.234,5;+104\n"
    its_mapping = mapping(
        WIDE,
        file={"delimiter": ";", "decimal": ","},
        missing=["", "-9999"],
        columns={
            "mV": {"tag": "under_volt", "scale": 0.001},
            "degF": {"tag": "over_temp", "scale": "0.5555555555555556", "offset": "-17.77777777777778"},
        },
    )
    outcome = bring_in(lab, data_file(tmp_path, text), its_mapping)
    assert refused(outcome) == {Reason.NO_NUMBER: (4,)}
    assert outcome.report.missing == 2
    assert [(tag, round(value, 9)) for tag, _, value, _ in results(lab)] == [
        ("over_temp", 35.5),
        ("over_temp", 40.0),
        ("under_volt", 4.086),
    ]
    assert lab.value("select value = 4.086::float8 from sos_ops.result where value < 10")


def test_a_korean_file_is_read_by_its_encoding(lab: Database, tmp_path: Path) -> None:
    text = "시각,온도,상태\n2026-03-01 09:01,35.5,정상\n2026-03-01 09:02,55,이상\n".encode("cp949")
    its_mapping = {
        **WIDE,
        "time": {"column": "시각", "zone": "Asia/Seoul"},
        "columns": {"온도": "over_temp"},
        "label": {"column": "상태", "values": {"정상": "normal", "이상": "anomalous"}},
    }
    with pytest.raises(SosOpsError, match="header is not utf-8: say"):
        bring_in(lab, data_file(tmp_path, text), mapping(its_mapping))
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(its_mapping, file={"encoding": "cp949"}))
    assert (outcome.report.stored, outcome.report.normal, outcome.report.anomalous) == (2, 1, 1)


def test_a_file_without_a_header_and_lines_above_the_table_are_read_when_the_mapping_says_so(
    lab: Database, tmp_path: Path
) -> None:
    text = "exported by a logger\n\n2026-03-01 00:01,35.5\n2026-03-01 00:02,bad\n"
    its_mapping = mapping(WIDE, file={"header": ["time", "t"], "skip_lines": 2}, columns={"t": "over_temp"})
    outcome = bring_in(lab, data_file(tmp_path, text), its_mapping)
    assert results(lab) == [("over_temp", at(1), 35.5, "N")]
    assert refused(outcome) == {Reason.NO_NUMBER: (4,)}


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "data.csv", "is empty"),
        (b"\n2026,1\n", "data.csv", "begins with an empty line"),
        (b"2026-03-01 00:01,35.5,3.9\n", "data.csv", "no column 'time'"),
        (b"time,t,t,v\n1,2,3,4\n", "data.csv", "stands 2 times"),
        (b"time;t;v\n1;2;3\n", "data.csv", "file.delimiter"),
        (b"PK\x03\x04\0\0\0\0", "data.csv", "is no text file"),
        (WIDE_TEXT.encode("utf-16"), "data.csv", "is UTF-16"),
        (b"not packed", "data.csv.gz", "cut off or damaged"),
        (gzip.compress(WIDE_TEXT.encode() * 1000)[:-20], "data.csv.gz", "cut off or damaged"),
        (b"not parquet", "data.parquet", "no Parquet file"),
        (b'time,"t,v\n1,2,3\n', "data.csv", "mend its quotes"),
        (b"time,t,v\n" + b"1" * 3_000_000, "data.csv", "is longer than"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    lab: Database, tmp_path: Path, content: bytes, name: str, says: str
) -> None:
    with pytest.raises(SosOpsError) as refusal:
        bring_in(lab, data_file(tmp_path, content, name), mapping(WIDE), chunk_bytes=1 << 20)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"time,t,v\n", b"time,t,v", b"time,t,v\n\n\n"])
def test_a_file_with_a_header_only_has_nothing_and_is_no_mistake(
    lab: Database, tmp_path: Path, content: bytes
) -> None:
    path = data_file(tmp_path, content)
    shown = preview(lab.connect, path, mapping(WIDE), rows=1000)
    outcome = bring_in(lab, path, mapping(WIDE))
    assert (outcome.report.stored, outcome.report.refused) == (0, ())
    for report in (shown.report, outcome.report):
        assert "the file holds no rows" in report.text()[0]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_rehearsal_says_when_it_did_not_look_at_all_of_the_file(
    lab: Database, tmp_path: Path, form: str
) -> None:
    path = data_file(tmp_path, WIDE_TEXT)
    if form == "parquet":
        path = tmp_path / "data.parquet"
        times = ["2026-03-01 00:01", "2026-03-01 00:02"]
        pq.write_table(pa.table({"time": times, "t": [35.5, 46.0], "v": [3.9, 3.8]}), path, row_group_size=1)
    part = preview(lab.connect, path, mapping(WIDE), rows=1).report
    assert (part.lines, part.stored, part.looked_at) == (1, 2, 1)
    assert "the first 1 rows; the rest of the file was not looked at" in part.text()
    whole = preview(lab.connect, path, mapping(WIDE), rows=2).report
    assert (whole.lines, whole.stored, whole.looked_at) == (2, 4, None)
    assert "not looked at" not in " ".join(whole.text())


def test_a_large_file_is_said_not_to_have_been_looked_at_to_its_end(lab: Database, tmp_path: Path) -> None:
    row = "2026-03-01 00:01,35.5,3.9," + "x" * 500 + "\n"
    path = data_file(tmp_path, "time,t,v,other\n" + row * 3000)
    shown = preview(lab.connect, path, mapping(WIDE), rows=1000).report
    assert "the first 1,000 rows; the rest of the file was not looked at" in shown.text()


def test_unknown_partners_tags_and_files_are_named(lab: Database, tmp_path: Path) -> None:
    path = data_file(tmp_path, WIDE_TEXT)
    with pytest.raises(SosOpsError, match="no partner 'nobody'"):
        bring_in(lab, path, mapping(WIDE, partner="nobody"))
    with pytest.raises(SosOpsError, match="'soh', which is no tag of partner suresoft"):
        bring_in(lab, path, mapping(WIDE, columns={"t": "soh"}))
    with pytest.raises(SosOpsError, match="there is no such file"):
        bring_in(lab, tmp_path / "elsewhere.csv", mapping(WIDE))


def test_the_same_file_twice_changes_nothing_whatever_it_is_called(lab: Database, tmp_path: Path) -> None:
    first = bring_in(lab, data_file(tmp_path, WIDE_TEXT + "x,1,2\n"), mapping(WIDE, data_set="march"))
    stands = everything(lab)
    second = bring_in(
        lab, data_file(tmp_path, WIDE_TEXT + "x,1,2\n", "copy.csv"), mapping(WIDE, data_set="march")
    )
    assert second.before
    assert (second.import_id, second.report) == (first.import_id, first.report)
    assert everything(lab) == stands


def test_a_file_of_the_same_size_and_other_content_is_another_file(lab: Database, tmp_path: Path) -> None:
    bring_in(lab, data_file(tmp_path, WIDE_TEXT), mapping(WIDE, data_set="march"))
    other = bring_in(
        lab, data_file(tmp_path, WIDE_TEXT.replace("00:02", "00:03")), mapping(WIDE, data_set="march")
    )
    assert not other.before
    assert other.report.stored == 2


def test_again_takes_what_was_refused_before(lab: Database, tmp_path: Path) -> None:
    path = data_file(tmp_path, LONG_TEXT + "2026-03-01 00:03,soh,99\n")
    assert bring_in(lab, path, mapping(LONG)).report.refused_count == 1
    with lab.connect() as connection:
        connection.execute("select sos_ops.add_tag('soh', 'suresoft', 80, 70)")
    assert bring_in(lab, path, mapping(LONG)).before
    outcome = bring_in(lab, path, mapping(LONG), again=True)
    assert (outcome.report.stored, outcome.report.known, outcome.report.refused) == (1, 4, ())


def test_history_waits_for_its_day_to_be_filled_and_keeps_no_live_run(lab: Database, tmp_path: Path) -> None:
    old = WIDE_TEXT.replace("2026-03-01", "2026-02-20")
    bring_in(lab, data_file(tmp_path, old + WIDE_TEXT.partition("\n")[2]), mapping(WIDE))
    # A second file of the same meets them, and takes the other way in.
    bring_in(lab, data_file(tmp_path, old + "2026-02-20 00:03,41,3.7,z\n", "more.csv"), mapping(WIDE))
    assert [row[3] for row in results(lab)] == ["I", "I", "I", "N", "N"] * 2
    assert validate(lab).accepted == 4
    assert [row[3] for row in results(lab)] == ["I", "I", "I", "A", "A"] * 2
    report = fill(lab.connect, date(2026, 2, 20), backfill=True).validation
    assert (report.accepted, report.failures) == (6, [])
    assert {row[3] for row in results(lab)} == {"A"}


def test_imported_history_is_judged_as_any_other_result(lab: Database, tmp_path: Path) -> None:
    with lab.connect() as connection:
        change_checks(connection, "over_temp", plausible_low=-20.0, plausible_high=90.0)
    text = "time,t,v\n2026-02-20 00:01,-200,3.9\n2026-02-20 00:02,200,3.9\n"
    bring_in(lab, data_file(tmp_path, text), mapping(WIDE))
    fill(lab.connect, date(2026, 2, 20), backfill=True)
    assert [row[2:] for row in results(lab) if row[0] == "over_temp"] == [(-200.0, "S"), (200.0, "A")]
