"""Addresses and Korean time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dash_app.codec import SPANS, BadAddressError, View, decode, encode, from_kst, kst_minute

TAGS = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=12)
SITE_TAGS = st.builds(lambda site, tag: f"{site}/{tag}", TAGS, TAGS) | TAGS
MINUTES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.strftime("%Y-%m-%d %H:%M"))  # noqa: DTZ001
TAG_VIEWS = st.builds(
    View,
    tags=st.lists(SITE_TAGS, max_size=4, unique=True).map(tuple),
    span=st.sampled_from(list(SPANS)),
    at=st.none() | MINUTES,
)
SET_VIEWS = st.builds(
    View, set_id=st.integers(0, 999_999_999), span=st.sampled_from(list(SPANS)), at=st.none() | MINUTES
)


@given(TAG_VIEWS | SET_VIEWS)
def test_an_address_alone_brings_the_view_back(view):
    path, _, search = encode(view).partition("?")
    assert decode(path, "?" + search if search else "") == view


def test_addresses_are_short_and_readable():
    assert encode(View(set_id=3)) == "/s/3"
    assert (
        encode(View(tags=("over_temp", "busan/over_temp"), span="24h"))
        == "/?tags=over_temp,busan/over_temp&range=24h"
    )
    assert encode(View(set_id=3, at="2026-01-01 10:04")) == "/s/3?at=2026-01-01T10:04"


@pytest.mark.parametrize(
    ("path", "search", "says"),
    [
        ("/s/x", "", "no page"),
        ("/s/-1", "", "no page"),
        ("/s/", "", "no page"),
        ("/s/99999999999999999999", "", "no page"),
        ("/elsewhere", "", "no page"),
        ("/", "?range=9h", "no range"),
        ("/", "?tags=a,b,c,d,e", "at most 4"),
        ("/s/1", "?at=yesterday", "is no time"),
    ],
)
def test_an_address_that_names_no_view_is_refused_in_one_line(path, search, says):
    with pytest.raises(BadAddressError, match=says) as refused:
        decode(path, search)
    assert "\n" not in str(refused.value)


def test_times_are_korean_wall_clock_and_come_back_as_the_same_moment():
    moment = datetime(2025, 12, 31, 15, 4, tzinfo=UTC)
    assert kst_minute(moment) == "2026-01-01 00:04"
    assert from_kst("2026-01-01 00:04") == moment


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_every_minute_survives_the_way_to_the_chart_and_back(naive):
    moment = naive.replace(second=0, microsecond=0, tzinfo=UTC)
    assert from_kst(kst_minute(moment)) == moment


def test_a_time_with_seconds_from_a_chart_is_read():
    assert from_kst("2026-01-01 00:04:30") - from_kst("2026-01-01 00:04") == timedelta(seconds=30)
