"""Suites of expectations as files, and Great Expectations running them over tables in memory.

What an expectation means for a row stands in its `meta`: `finding` (its name), `effect` (`set_aside`, `mark` or
`count`), `expected` (the column with the value that was rather to be expected, optional) and `sentence`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sos_ops.errors import SosOpsError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

log = logging.getLogger(__name__)

ALL_PARTNERS = "all_partners"
MINUTES = "minutes"
PARTNERS = "partners"
"""The folder of the suites that extend the common one, each named after its partner."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "return_unexpected_index_query": False,
}


class BrokenSuiteError(SosOpsError):
    """A suite that cannot be used: nothing may be accepted by what is left of it."""


class Effect(StrEnum):
    """What a finding does to a row."""

    SET_ASIDE = "set_aside"
    """The row does not count, unless it points to danger: then it is marked."""
    MARK = "mark"
    """The row counts and carries the finding's name."""
    COUNT = "count"
    """The row counts; the finding is only counted."""


@dataclass(frozen=True)
class Meaning:
    """What it means when a row fails an expectation."""

    finding: str
    effect: Effect
    sentence: str
    expected: str | None = None

    def say(self, columns: Mapping[str, Any]) -> str:
        """The sentence about a row; where it cannot be filled in, one that says so: what is found stands anyway."""
        try:
            return self.sentence.format_map(columns)
        except Exception as error:  # noqa: BLE001  # what formatting somebody's words may raise is open
            return f"{self.finding} (its sentence cannot be filled in: {type(error).__name__}: {_one_line(error)})"

    def expected_of(self, columns: Mapping[str, Any]) -> float:
        """The value that was rather to be expected of a row; NaN where nothing was, or no number stands there."""
        try:
            return math.nan if self.expected is None else float(columns[self.expected])
        except (TypeError, ValueError):
            return math.nan


@dataclass(frozen=True)
class Suite:
    """A suite as it stands in its file."""

    name: str
    expectations: ExpectationSuite
    meanings: tuple[Meaning, ...]


@cache
def _tables() -> BatchDefinition[Any]:
    """Tables in memory as Great Expectations wants them; made once, since each change of its source takes its time."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from tqdm.std import tqdm

    # Even a progress bar that is not drawn starts a thread, and what forks must have none.
    tqdm.monitor_interval = 0
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # a plain dict is what it takes
    source = context.data_sources.add_pandas("results")
    return source.add_dataframe_asset("new").add_batch_definition_whole_dataframe("whole")


_loaded: dict[Path, tuple[tuple[int, int], Suite | BrokenSuiteError]] = {}


def load(folder: Path, name: str) -> Suite:
    """The suite in `folder/name.json`, read again only when the file has changed.

    Raises:
        BrokenSuiteError: it cannot be read, or an expectation does not say what it means or is not about single rows.
    """
    path = folder / f"{name}.json"
    try:
        state = path.stat()
    except OSError as error:
        raise BrokenSuiteError(f"{path.name}: {error.strerror}") from error
    stamp = (state.st_mtime_ns, state.st_size)
    if path not in _loaded or _loaded[path][0] != stamp:
        _loaded[path] = stamp, _read(path)
    suite = _loaded[path][1]
    if isinstance(suite, BrokenSuiteError):
        raise suite
    return suite


def has_own_suite(folder: Path, partner: str) -> bool:
    """Whether a file extends the common suite for this partner."""
    return (folder / PARTNERS / f"{partner}.json").exists()


def _read(path: Path) -> Suite | BrokenSuiteError:
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    _tables()  # suites are made in a context
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        suite = ExpectationSuite(name=f"{path.parent.name}/{path.stem}")
        meanings = [_meaning(entry.get("meta") or {}) for entry in content["expectations"]]
        for entry in content["expectations"]:
            expectation = ExpectationConfiguration(**entry).to_domain_obj()
            if not _is_about_single_rows(expectation):
                raise ValueError(f"{entry['type']} is not about single rows: while it fails, it names none")
            suite.add_expectation(expectation)
        if not meanings:
            raise ValueError("it holds no expectation")
    except Exception as error:  # noqa: BLE001  # somebody else's file: whatever is wrong with it, others go on
        return BrokenSuiteError(f"{path.name} cannot be used: {type(error).__name__}: {_one_line(error)}")
    return Suite(str(suite.name), suite, tuple(meanings))


def _is_about_single_rows(expectation: Expectation) -> bool:
    from great_expectations.expectations.expectation import (
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )

    return isinstance(
        expectation, (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    )


def _meaning(meta: dict[str, Any]) -> Meaning:
    try:
        meaning = Meaning(
            str(meta["finding"]), Effect(meta["effect"]), str(meta["sentence"]), meta.get("expected")
        )
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"meta needs finding, effect (set_aside, mark or count) and sentence: {error}"
        ) from error
    if not _NAME.fullmatch(meaning.finding):
        raise ValueError(f"finding {meaning.finding!r}: use a-z, 0-9 and _")
    return meaning


@dataclass(frozen=True)
class Hits:
    """The rows that fail one expectation, by the numbers in the table's column `row`."""

    meaning: Meaning
    rows: list[int]


def run(suite: Suite, frame: pd.DataFrame) -> list[Hits]:
    """Runs a suite over a table whose column `row` numbers its rows.

    Raises:
        BrokenSuiteError: an expectation could not be evaluated, or failed without naming rows.
    """
    return hits_of(validate(suite, frame))


def validate(
    suite: Suite, frame: pd.DataFrame, *, shown: tuple[str, ...] = ("row",)
) -> ExpectationSuiteValidationResult:
    """Great Expectations' own result of a suite over a table; failing rows are named by the columns `shown`.

    Raises:
        BrokenSuiteError: it could not be run at all.
    """
    _refuse_bad_meanings(suite, frame)
    try:
        batch = _tables().get_batch(batch_parameters={"dataframe": frame})
        return batch.validate(
            suite.expectations, result_format={**_RESULT_FORMAT, "unexpected_index_column_names": list(shown)}
        )
    except Exception as error:  # what a library may raise is open; the cause stands in the log
        log.exception("suite %s could not be run", suite.name)
        raise BrokenSuiteError(
            f"{suite.name} could not be run: {type(error).__name__}: {_one_line(error)}"
        ) from error


def _refuse_bad_meanings(suite: Suite, frame: pd.DataFrame) -> None:
    """Refuses a `meta` that fits no row at all: by the columns, not by what stands in them, for any row may come."""
    from pandas.api.types import is_numeric_dtype

    for meaning in suite.meanings:
        try:
            named = {re.split(r"[.\[]", name or "")[0] for _, name, _, _ in string.Formatter().parse(meaning.sentence)
                     if name is not None}  # fmt: skip
        except ValueError as error:
            raise BrokenSuiteError(f"{suite.name}: the sentence of {meaning.finding!r}: {error}") from error
        if unknown := sorted(named - set(frame.columns)):
            raise BrokenSuiteError(
                f"{suite.name}: the sentence of {meaning.finding!r}: no column {unknown[0]!r}"
            )
        if meaning.expected is None:
            continue
        # Were this left to each row, nothing would ever be expected, and no row would point to danger by it.
        if meaning.expected not in frame.columns or not is_numeric_dtype(frame[meaning.expected]):
            raise BrokenSuiteError(
                f"{suite.name}: what {meaning.finding!r} expects: {meaning.expected!r} is no column of numbers"
            )


def hits_of(result: ExpectationSuiteValidationResult) -> list[Hits]:
    """The failing rows of a result.

    Raises:
        BrokenSuiteError: an expectation could not be evaluated, or failed without naming rows: `success` alone
            would take the one for a finding, and an error for a table full of good rows.
    """
    hits = []
    for one in result.results:
        config = one.expectation_config
        assert config is not None  # noqa: S101  # the result of a suite's expectation has one
        if message := _raised(one.exception_info):
            raise BrokenSuiteError(f"{config.type} could not be evaluated: {message}")
        failing = (one.result or {}).get("unexpected_index_list") or []
        if not one.success and not failing:
            raise BrokenSuiteError(
                f"{config.type} names no rows: only expectations about single rows can decide them"
            )
        if failing:
            # NumPy's integers, which nothing further down should meet.
            hits.append(Hits(_meaning(config.meta or {}), [int(entry["row"]) for entry in failing]))
    return hits


def _raised(info: Any) -> str | None:
    """What an expectation raised; Great Expectations tells it flat, or per metric."""
    if not isinstance(info, dict):
        return None
    if info.get("raised_exception"):
        return str(info.get("exception_message") or "no message").strip().splitlines()[0]
    for inner in info.values():
        if isinstance(inner, dict) and (message := _raised(inner)):
            return message
    return None


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else "no message"
