"""The technical document's row-by-row script (its section 3), as printed, to measure beside.

Transcribed from its listing with the marks of the scan undone (`TAG MAP` is `TAG_MAP`, the lost `else:` before the
normalisation is back). Only this is added: the commit it forgets, and that it can be told which sets to do. It finds
its relations by the connection's `search_path`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import psycopg2.extensions  # type: ignore[import-untyped]

TAG_MAP = "tag_combination_map"
TAG_LIST = "tag_list"


def dictfetchall(cursor: psycopg2.extensions.cursor) -> list[dict[str, Any]]:
    """The cursor's rows, as dictionaries."""
    columns = [col[0] for col in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def calc_safety_normalization(value: float, threshold: float, max_value: float) -> float:
    """The score of a value beyond the maximum safe value."""
    exp1 = 0.25 / math.pow(threshold - max_value, 2)
    exp2 = math.pow(value - max_value, 2)
    return 1 / (exp1 * exp2 + 1)


def calc_safety_score(value: float, threshold: float, max_value: float) -> float:
    """The score of a value."""
    if max_value - threshold < 0:
        if value < max_value:  # noqa: SIM108  # as printed
            safety_value = 1.0
        else:
            safety_value = calc_safety_normalization(value, threshold, max_value)
    elif value > max_value:
        safety_value = 1.0
    else:
        safety_value = calc_safety_normalization(value, threshold, max_value)
    return safety_value


def read_sets(conn: psycopg2.extensions.connection) -> pd.DataFrame:
    """What the script does before its loop: every set, in a DataFrame."""
    with conn.cursor() as cur:
        query_set = f"""select * from {TAG_MAP}"""  # noqa: S608
        cur.execute(query_set)
        map_dict = dictfetchall(cur)
    return pd.DataFrame(map_dict)


def score_sets(conn: psycopg2.extensions.connection, map_df: pd.DataFrame, which: Sequence[int]) -> None:
    """The script's loop over these rows of `map_df`, and the commit it forgets."""
    for i in which:
        set_id: Any = map_df.loc[i, "SET_ID"]
        tag_set: Any = map_df.loc[i, "TAG_SET"]
        with conn.cursor() as cur:
            query_set = f"""select * from {TAG_LIST}"""  # noqa: S608
            cur.execute(query_set)
            map_list_dict = dictfetchall(cur)
        map_list_df = pd.DataFrame(map_list_dict)
        f_safety_dict = {}
        for tag_name in tag_set:
            usad_row = map_list_df[map_list_df["TAG"] == tag_name]
            maximum_safe_value = usad_row["MAXIMUM_SAFE_VALUE"].iloc[0]
            warnning_threshold = usad_row["WARNNING_THRESHOLD"].iloc[0]
            tag_name = usad_row["TAG"].iloc[0]
            table_name = usad_row["TABLE_NAME"].iloc[0]
            with conn.cursor() as cur:
                query_set = f"""SELECT * FROM {table_name} WHERE "TAG" = '{tag_name}'
                                ORDER BY "TIMESTAMP" DESC LIMIT 1"""  # noqa: S608
                cur.execute(query_set)
                value_dict = dictfetchall(cur)
            value_df = pd.DataFrame(value_dict)
            value_df["TIMESTAMP"] = value_df["TIMESTAMP"].dt.tz_convert("Asia/Seoul")
            norm_value = calc_safety_score(
                value=value_df["VALUE"].iloc[0], threshold=warnning_threshold, max_value=maximum_safe_value
            )
            f_safety_dict[tag_name] = norm_value
        sos = math.prod(f_safety_dict.values())
        insert_query = (
            """INSERT INTO sos ("TIMESTAMP", "VALUE", "SET_ID", "F_VALUE") VALUES(%s, %s, %s, %s)"""
        )
        f_safety_json = json.dumps(f_safety_dict)
        with conn.cursor() as cur:
            cur.execute(insert_query, (value_df["TIMESTAMP"].iloc[0], sos, int(set_id), f_safety_json))
    conn.commit()
