"""Mapping files: what the columns of a data set mean, read from YAML."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from sos_ops.errors import InvalidConfigurationError

ITS_OWN_OFFSET = "offset"
"""The time zone of a file whose every time says its own offset."""

_ENCODINGS = {"utf-8", "utf-16", "cp949", "euc-kr", "cp1252", "latin-1", "ascii"}
_DIRECTIVES = set("YmdHMSfybBpIj")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")


class Kind(StrEnum):
    """What a data set holds."""

    RESULTS = "results"
    READINGS = "readings"


class Ambiguous(StrEnum):
    """Which of two instants a local time means that occurs twice, because clocks were put back."""

    REFUSE = "refuse"
    EARLIER = "earlier"
    LATER = "later"


class LabelClass(StrEnum):
    """What a label says of the battery."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"


def _text(value: object) -> object:
    """YAML reads 0 and 1.5 as numbers; in the file they are text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _text_keys(value: object) -> object:
    return {_text(key): entry for key, entry in value.items()} if isinstance(value, dict) else value


def _texts(value: object) -> object:
    return [_text(entry) for entry in value] if isinstance(value, list) else value


Factor = Annotated[Decimal, Field(allow_inf_nan=False, gt=Decimal("-1e9"), lt=Decimal("1e9"))]
ColumnName = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileFormat(_Strict):
    """How the text of a CSV file is written. A Parquet file needs none of it."""

    encoding: str = "utf-8"
    delimiter: Character = ","
    decimal: Character = "."
    skip_lines: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Lines above the header that are none of the table's."""
    header: Annotated[tuple[ColumnName, ...] | None, BeforeValidator(_texts)] = None
    """The columns' names, in order, of a file without a header line."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.encoding.lower() not in _ENCODINGS:
            raise ValueError(
                f"encoding {self.encoding!r} is not read: use one of {', '.join(sorted(_ENCODINGS))}"
            )
        if self.decimal not in ".,":
            raise ValueError(f"decimal is '.' or ',', not {self.decimal!r}")
        if self.decimal == self.delimiter:
            raise ValueError("decimal and delimiter are the same character: numbers would fall apart")
        if self.delimiter in '"\n\r' or not self.delimiter.isascii():
            raise ValueError(
                f"delimiter {self.delimiter!r} cannot separate columns: use one of , ; | or a tab"
            )
        return self


class TimeColumns(_Strict):
    """Where a row's time stands, how it is written, and in which time zone."""

    column: ColumnName | None = None
    columns: Annotated[tuple[ColumnName, ...] | None, BeforeValidator(_texts)] = None
    """Several columns, joined by a blank: a date and a time of day."""
    format: str = "iso"
    """`iso`, `unix_s`, `unix_ms`, `unix_us`, or a pattern as `%d.%m.%Y %H:%M:%S`."""
    zone: str | None = None
    """A name as `Asia/Seoul`, `UTC`, a fixed `+09:00`, or `offset`: every time says its own."""
    ambiguous: Ambiguous = Ambiguous.REFUSE

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, one or more."""
        return (self.column,) if self.column is not None else self.columns or ()

    @property
    def is_unix(self) -> bool:
        """True when times are numbers since 1970 UTC."""
        return self.format.startswith("unix_")

    @property
    def says_offset(self) -> bool:
        """True when every time says its own offset."""
        return self.zone == ITS_OWN_OFFSET

    def zone_info(self) -> tzinfo:
        """The time zone of times that do not say their own; UTC for those that do."""
        return UTC if self.is_unix or self.says_offset or self.zone is None else _zone(self.zone)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.column is None) == (not self.columns):
            raise ValueError("name either `column` or `columns`")
        if self.is_unix:
            if self.format not in ("unix_s", "unix_ms", "unix_us"):
                raise ValueError(f"format {self.format!r} is not known: use unix_s, unix_ms or unix_us")
            if len(self.names) > 1:
                raise ValueError("a unix time is one column")
            if self.zone not in (None, "UTC"):
                raise ValueError("unix times are UTC: leave `zone` out")
            return self
        if self.zone is None:
            raise ValueError(
                "say the time `zone`: a name as Asia/Seoul, UTC, +09:00, or offset when each time says it"
            )
        if not self.says_offset:
            _zone(self.zone)
        if self.format != "iso":
            _check_pattern(self.format, says_offset=self.says_offset)
        return self


class Quantity(_Strict):
    """What a column's numbers are: a tag or a point, whose value is number * scale + offset."""

    name: str
    scale: Factor = Decimal(1)
    offset: Factor = Decimal(0)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict):
            known = {"tag", "point"} & value.keys()
            if len(known) == 1 and "name" not in value:
                return {"name" if key in known else key: entry for key, entry in value.items()}
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        return self

    @property
    def ratio(self) -> tuple[float, float, float]:
        """a, b, d of value = (number * a + b) / d: 4086 thousandths are 4.086 exactly, which * 0.001 does not give."""
        (a, scale_d), (b, offset_d) = self.scale.as_integer_ratio(), self.offset.as_integer_ratio()
        return float(a * offset_d), float(b * scale_d), float(scale_d * offset_d)


class LongColumns(_Strict):
    """A file with one value a row: a column that names the tag or point, and a column with the value."""

    name: ColumnName
    value: ColumnName
    names: Annotated[dict[str, Quantity], BeforeValidator(_text_keys)] = Field(default_factory=dict)
    """What the file's names mean; a name that is not listed is the tag's or point's own."""

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        first: dict[str, str] = {}
        for name, quantity in self.names.items():
            other = first.setdefault(quantity.name, name)
            if other != name:
                raise ValueError(
                    f"{quantity.name!r} is filled by two names, {other!r} and {name!r}: name one"
                )
        return self


class Labels(_Strict):
    """What the file says of the battery: row by row in a column, or all of it at once."""

    column: ColumnName | None = None
    values: Annotated[dict[str, LabelClass], BeforeValidator(_text_keys)] = Field(default_factory=dict)
    """What the column's texts mean."""
    all: LabelClass | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.column is None) == (self.all is None):
            raise ValueError("say either `column` and its `values`, or `all: normal` or `all: anomalous`")
        if (self.column is None) != (not self.values):
            raise ValueError("`column` and `values` go together: which text is normal, which anomalous")
        return self


class ImportMapping(_Strict):
    """What a data set is and what its columns mean."""

    kind: Kind
    partner: str | None = None
    device: str | None = None
    data_set: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Its name, under which its labels are kept; default: the file's name."""
    file: FileFormat = FileFormat()
    missing: Annotated[tuple[str, ...], BeforeValidator(_texts)] = (
        "",
        "NA",
        "N/A",
        "NaN",
        "nan",
        "null",
        "NULL",
    )
    """Texts that mean that there is no value."""
    time: TimeColumns
    columns: Annotated[dict[str, Quantity] | None, BeforeValidator(_text_keys)] = None
    """Of a wide file: column -> tag or point."""
    long: LongColumns | None = None
    label: Labels | None = None

    @property
    def content(self) -> str:
        """The mapping as canonical JSON, defaults written out."""
        return self.model_dump_json()

    @property
    def sha256(self) -> str:
        """Of the meaning, not of the file: comments and spaces change nothing."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        names = list(self.time.names)
        names += [self.long.name, self.long.value] if self.long else list(self.columns or ())
        if self.label and self.label.column:
            names.append(self.label.column)
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        owner, other = ("partner", "device") if self.kind is Kind.RESULTS else ("device", "partner")
        if getattr(self, owner) is None:
            raise ValueError(f"{self.kind} belong to a {owner}: name it")
        if getattr(self, other) is not None:
            raise ValueError(f"{self.kind} belong to a {owner}, not to a {other}: leave `{other}` out")
        if (self.columns is None) == (self.long is None):
            raise ValueError(
                "say either `columns` (one column a tag or point) or `long` (a name and a value a row)"
            )
        if self.columns is not None:
            _check_columns(self.columns, self.time.names)
        return self


def _check_columns(columns: dict[str, Quantity], times: tuple[str, ...]) -> None:
    if not columns:
        raise ValueError("`columns` names no column")
    names = [quantity.name for quantity in columns.values()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is filled by two columns: name one")
    both = next((name for name in columns if name in times), None)
    if both is not None:
        raise ValueError(f"column {both!r} cannot be a time and a value")


def _zone(name: str) -> tzinfo:
    fixed = _OFFSET.fullmatch(name)
    if fixed:
        size = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        if size < timedelta(hours=24):
            return timezone(-size if fixed[1] == "-" else size)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"no time zone {name!r}: use a name as Asia/Seoul, UTC, +09:00, or offset"
        ) from error


def _check_pattern(pattern: str, *, says_offset: bool) -> None:
    used = re.findall(r"%(.?)", pattern)
    strange = next((d for d in used if d not in _DIRECTIVES | {"z", "%"}), None)
    if strange is not None or not {"d", "j"} & set(used):
        raise ValueError(
            f"format {pattern!r} is no pattern of a date and time: as %Y-%m-%d %H:%M:%S, or iso, or unix_s"
        )
    if not {"Y", "y"} & set(used):
        raise ValueError(f"format {pattern!r} says no year")
    if ("z" in used) != says_offset:
        raise ValueError(
            f"format {pattern!r} and zone do not agree: %z goes with zone offset, and only with it"
        )


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not keep: a key occurs once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is given twice", node.start_mark)
        return mapping


def load_mapping(path: Path) -> ImportMapping:
    """The mapping in a YAML file.

    Raises:
        InvalidConfigurationError: it cannot be read or used; names the file, the field and the reason in one line.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfigurationError(f"{path}: is not UTF-8 text") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise InvalidConfigurationError(f"{path}: is not valid YAML: {_one_line(str(error))}") from error
    if not isinstance(document, dict):
        raise InvalidConfigurationError(f"{path}: is no mapping file (kind, time, columns ... are missing)")
    try:
        return ImportMapping.model_validate(document)
    except ValidationError as error:
        raise InvalidConfigurationError(f"{path}: {_reason(error.errors()[0])}") from error


def _reason(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        why = "is no field of a mapping file"
    elif error["type"] == "missing":
        why = "is missing"
    elif error["type"] == "string_type" and isinstance(error["input"], bool | int | float):
        why = f"{str(error['input']).lower()} is no text to YAML: put it in quotes"
    else:
        why = _one_line(error["msg"].removeprefix("Value error, "))
    return f"{where}: {why}" if where else why


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
