"""within() as PostgreSQL computes it: what a column's values mean as times, by the column's type.

Read are: timestamptz; timestamp, as UTC; date, as that date in the run's zone; numbers, as
times.instant reads them (seconds since 1970, or the thousandth part of that or less; a julian day;
a spelled date). Of texts: `2026-11-21`, `2026-11-21 10:30[:15[.250]]` with a blank, `T` or `_`
between and `-`, `/` or `.` in the date, `20261121T1030[15[.250]]`, each followed by nothing (UTC),
`Z`, `UTC`, `GMT` or an offset (`+01`, `+0100`, `+01:00`); and texts of digits, as numbers. Every
other text is no time here, and is counted as such: a SELECT can make a time of it, such as with
to_timestamp().
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from common import times

TIMESTAMPTZ, TIMESTAMP, DATE, BYTEA = 1184, 1114, 1082, 17
_NUMBERS = (20, 21, 23, 1700, 700, 701)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL = "-62135596800 and 253402300799"  # seconds: the years 1 to 9999

# No pattern takes a text apart: PostgreSQL needs half a millisecond for that.
_D = "[0-9]{2}"
_ZONE = f"(?: ?(?:Z|UTC|GMT|[+-]{_D}:?(?:{_D})?))?"
_ISO = (
    f"(?i)^[0-9]{{4}}[-/.]{_D}[-/.]{_D}(?:[T_ ]{_D}:{_D}(?::{_D}(?:[.,][0-9]*)?)?{_ZONE}"
    "|Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?$"
)
_COMPACT = f"(?i)^[0-9]{{8}}[T_ ]{_D}{_D}(?:{_D}(?:[.,][0-9]*)?)?{_ZONE}$"
_SPELLED = f"^(?:19|20|21){_D}{_D}{_D}(?:{_D}{_D}(?:{_D}(?:[0-9]{{3}}|[0-9]{{6}})?)?)?$"
_NUMBER = "^[+-]?[0-9]{1,40}(?:[.][0-9]*)?(?:[eE][+-]?[0-9]{1,2})?$"
# The commonest ones, in UTC: days 29 to 31 are not in every month, they take the longer way.
_PLAIN = (
    "^[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])[T ](?:[01][0-9]|2[0-3])"
    ":[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?(?:Z|[+]00(?::?00)?)?$"
)


def is_plain(text: str) -> str:
    """SQL for: is a text, given as SQL, of the commonest forms? `in_order` is quick for these."""
    return f"{text} ~ '{_PLAIN}'"


def in_order(text: str) -> str:
    """SQL for the first 19 signs of such a text as times.SQL_FORMAT has them, to compare by."""
    return f"(translate(left({text}, 19), 'T', ' ') collate \"C\")"


def _apart(text: str, time: int) -> str:
    """SQL for a time that is written without signs, whose clock begins at `time`, with them."""
    clock = f"substr({text}, {time}, 2) || ':' || substr({text}, {time + 2}, 2)"
    second = f"case when substr({text}, {time + 4}, 1) between '0' and '9' then ':' else '' end"
    later = f"' ' || {clock} || {second} || substr({text}, {time + 4})"
    date = f"substr({text}, 1, 4) || '-' || substr({text}, 5, 2) || '-' || substr({text}, 7, 2)"
    return f"{date} || case when length({text}) > 8 then {later} else '' end"


# From `n`, a number or NULL, and `v`, a text or NULL: a day as the number YYYYMMDD, or seconds
# since 1970. Both are NULL for what is no time.
_MEANING = f"""(
 select case when ok and h is null and (n is null or n = trunc(n))
   then y * 10000 + m * 100 + d end as day,
  case when ok and h is null then null
   when ok then (make_date(y, m, d) - date '1970-01-01') * 86400.0 + h * 3600 + mi * 60 + s
    - case when o > '' then (left(o, 1) || '1')::int
     * (substr(o, 2, 2)::int * 60 + coalesce(nullif(substr(o, 4), '')::int, 0)) * 60 else 0 end
   when n >= 2440587.5 and n < 2488069.5 then floor(round((n - 2440587.5) * 86400000) / 1000)
   when abs(n) < 1e11 then floor(round(n, 6)) when abs(n) < 1e14 then floor(n / 1e3)
   when abs(n) < 1e17 then floor(n / 1e6) when abs(n) < 1e20 then floor(n / 1e9) end as at
 from (select *, coalesce(same and y > 0 and m between 1 and 12 and d between 1 and
   case when m = 2 then 28 + (y % 4 = 0 and (y % 100 <> 0 or y % 400 = 0))::int
    when m in (4, 6, 9, 11) then 30 else 31 end
   and (h is null or (h < 24 and mi < 60 and s < 60)
    or n is null and (h, mi, s) in ((24, 0, 0), (23, 59, 60)))
   and (o = '' or rpad(substr(o, 2), 4, '0')::int <= 1400
    and right(rpad(o, 5, '0'), 2)::int < 60), false) as ok
  from (select n, substr(t, 1, 4)::int as y, substr(t, 6, 2)::int as m, substr(t, 9, 2)::int as d,
    substr(t, 5, 1) = substr(t, 8, 1) as same, timed,
    case when timed then substr(t, 12, 2)::int end as h,
    case when timed then substr(t, 15, 2)::int end as mi,
    case when timed and substr(t, 17, 1) = ':' then substr(t, 18, 2)::int else 0 end as s,
    case when timed and strpos(translate(substr(t, 17), '-', '+'), '+') > 0 then replace(substr(t,
     16 + strpos(translate(substr(t, 17), '-', '+'), '+')), ':', '') else '' end as o
   from (select n, t, substr(t, 11, 1) in (' ', 'T', 't', '_') as timed from (select n,
     case when v ~ '{_ISO}' then v when v ~ '{_COMPACT}' then {_apart("v", 10)}
      when trunc(n)::text ~ '{_SPELLED}' then {_apart("trunc(n)::text", 9)} end as t
    from NUMBERS numbers offset 0) found offset 0) parts offset 0) fields offset 0) checked)"""


@dataclass(frozen=True)
class Window:
    """From `start` up to, not including, `end`; a date without a time is that date in `zone`."""

    start: datetime
    end: datetime
    zone: tzinfo

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first date that begins in the window, and the first that begins after it."""
        return _first_day(self.start, self.zone), _first_day(self.end, self.zone)


def _first_day(at: datetime, zone: tzinfo) -> date | None:
    """The first date that begins at an instant or later; None where the calendar ends before."""
    try:
        day = times.day_of(at, zone)
    except OverflowError:
        return date.min if at.year < 5000 else date.max
    try:
        if day.start >= at:
            return day.date
    except OverflowError:
        pass
    return None if day.date == date.max else day.date + timedelta(days=1)


def is_time(kind: int) -> bool:
    """Whether a type (its OID) holds times alone."""
    return kind in (TIMESTAMPTZ, TIMESTAMP, DATE)


def is_text(kind: int) -> bool:
    """Whether values of a type are read as texts."""
    return not is_time(kind) and kind not in _NUMBERS


def in_window(kind: int, value: str, window: Window) -> str:
    """SQL for: is `value`, SQL of the type `kind`, in the window? An index can serve it."""
    value = f"({value})"
    if kind == DATE:
        since, before = (f"date '{day or '10000-01-01'}'" for day in window.days)
        return f"({value} >= {since} and {value} < {before})"
    start, end = times.sql_time(window.start), times.sql_time(window.end)
    if kind == TIMESTAMPTZ:
        return f"({value} >= timestamptz '{start}+00' and {value} < timestamptz '{end}+00')"
    if kind == TIMESTAMP:
        return f"({value} >= timestamp '{start}' and {value} < timestamp '{end}')"
    a, b = (int((at - _EPOCH).total_seconds()) for at in (window.start, window.end))
    first, last = (_spelled(day) if day else 10**8 for day in window.days)
    meant = f"(day >= {first} and day < {last}) or (at >= {a} and at < {b})"
    exactly = f"coalesce((select {meant} from {_meaning(kind, value)} meaning), false)"
    if kind in _NUMBERS:
        return f"(case when {_roughly(value, window)} then {exactly} else false end)"
    text = as_text(kind, value)
    plainly = f"{in_order(text)} >= '{start}' and {in_order(text)} < '{end}'"
    far = f"{text} like '____-__-__%' and not ({_nearly(text, window)})"
    return f"(case when {far} then false when {is_plain(text)} then {plainly} else {exactly} end)"


def unreadable(kind: int, value: str) -> str:
    """SQL for: is `value` no time?"""
    if not is_time(kind):
        usual = is_plain(as_text(kind, value))
        if kind in _NUMBERS:  # seconds, or thousandths: their digits spell no date
            usual = (
                f"({value}) between 1e8 and 9999999999 or ({value}) between 1e12 and 9999999999999"
            )
        return f"(case when {usual} then false else {seconds(kind, value)} is null end)"
    name = {TIMESTAMPTZ: "timestamptz", TIMESTAMP: "timestamp", DATE: "date"}[kind]
    # Infinity is beyond these, as are the years that Python does not know.
    return (
        f"(({value}) is null or ({value}) < {name} '0001-01-01'"
        f" or ({value}) >= {name} '10000-01-01')"
    )


def is_number(kind: int, value: str) -> str:
    """SQL for: is `value` a number, or a text of digits? About all others it says so quickly."""
    if kind in _NUMBERS:
        return f"({value}) is not null"
    text = as_text(kind, value)
    quick = "false" if is_time(kind) else f"{text} not like '____-__-__%' and {text} ~ '{_NUMBER}'"
    return f"({quick})"


def seconds(kind: int, value: str) -> str:
    """SQL for the seconds from 1970 to `value`, to order by; NULL where it is no time.

    For a date without a time, those to its midnight in UTC.
    """
    if is_time(kind):
        since = f"extract(epoch from ({value}))::numeric"
        return f"case when not {unreadable(kind, value)} then {since} end"
    midnight = "make_date(day / 10000, day / 100 % 100, day % 100) - date '1970-01-01'"
    at = f"case when day is null then at else ({midnight}) * 86400.0 end"
    return (
        f"(select case when {at} between {_ALL} then {at} end from {_meaning(kind, value)} meaning)"
    )


def as_text(kind: int, value: str) -> str:
    """SQL for the text of a value."""
    # Bytes may hold the text of a time; no other ones fail here.
    return f"encode(({value}), 'escape')" if kind == BYTEA else f"({value})::text"


def _meaning(kind: int, value: str) -> str:
    """A subquery that gives `day` and `at` for a value: see _MEANING."""
    if kind in _NUMBERS:
        number = f"case when ({value}) between -1e20 and 1e20 then ({value})::numeric end"
        numbers = f"(select {number} as n, null::text as v offset 0)"
    else:
        tidy = f"btrim(btrim({as_text(kind, value)}, E' \\t\\n\\r\\f\\x0b'), '\"''')"
        number = f"case when v ~ '{_NUMBER}' then v::numeric end as n"
        numbers = f"(select {number}, v from (select {tidy} as v offset 0) tidied offset 0)"
    return _MEANING.replace("NUMBERS", numbers)


def _spelled(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _roughly(value: str, window: Window) -> str:
    """SQL that is true for every number in the window, and false for most others; quick."""
    a, b = (int((at - _EPOCH).total_seconds()) for at in (window.start, window.end))
    ranges = [((a - 1) * unit, (b + 1) * unit) for unit in (1, 10**3, 10**6, 10**9)]
    ranges.append((a // 86_400 + 2_440_586, b // 86_400 + 2_440_590))
    first, last = (_spelled(day) if day else 10**8 for day in window.days)
    ranges.append((first, last))
    first, last = (int(at.strftime("%Y%m%d%H%M%S")) for at in (window.start, window.end))
    ranges += [(first // 100, last // 100 + 1), (first, last + 1)]
    ranges += [(first * unit, (last + 1) * unit) for unit in (10**3, 10**6)]
    return "(" + " or ".join(f"{value} between {low} and {high}" for low, high in ranges) + ")"


def _nearly(text: str, window: Window) -> str:
    """SQL that is true for every text in the window that begins with a date; quick."""
    low, high = "0", "9~"
    if window.start.year > 1:  # no zone is further away than a day
        low = (window.start.date() - timedelta(days=2)).isoformat()
    if window.end.year < 9999:
        high = (window.end.date() + timedelta(days=2)).isoformat()
    return f"""{text} collate "C" >= '{low}' and {text} collate "C" < '{high}'"""
