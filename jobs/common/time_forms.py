"""Every form in which columns say when: what languages, ORMs, databases and mail programs print.

Only forms that can mean one thing alone are read. `01/02/2026` is January to one reader and
February to another, `CST` is Chicago or Shanghai: such a time stays unreadable, and is told of.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from common.time_grammar import MILLISECONDS, NUMBER, WEEK, forms, unwrapped

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_AT_JULIAN_0 = 2_440_587.5  # the julian day that begins the epoch
_JULIAN_DAYS = (_UNIX_AT_JULIAN_0, 2_488_069.5)  # 1970 to 2100
# Digits that spell a date of these years are no seconds of August 1970, and no milliseconds of the
# 27th century.
_SPELLED_YEARS = range(1900, 2200)
_TEES = "Tt _:"
# Marks that are not seen: a byte order mark, and directions of writing.
_PLAIN_SIGNS = dict.fromkeys([0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)], "")
_PLAIN_SIGNS[0x2212] = "-"
_FARTHEST = timedelta(hours=14)  # no clock is further from UTC
_LONGEST = 100  # characters: longer ones are other texts

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = {"z": 0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0, "cet": 1, "eet": 2, "msk": 3, "jst": 9}
_ZONES |= {"west": 1, "cest": 2, "eest": 3}
_ZONES |= {"coordinated universal time": 0, "greenwich mean time": 0}
_ZONES |= {"est": -5, "edt": -4, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
# These mean something else elsewhere, but RFC 5322 says what they mean in a mail.
_MAIL_ZONES = {"cst": -6, "cdt": -5}


def moment(value: object) -> datetime | date:
    """What a value says: an instant, a time without a zone, or (a `date`) a day without a time.

    Raises ValueError where it is no time, or could be two.
    """
    try:
        if isinstance(value, bytes):
            value = value.decode().rstrip("\0")
        if isinstance(value, str):
            return _of_text(value)
        if isinstance(value, date):  # a datetime is one, too
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _of_number(value)
    except OverflowError as error:  # beyond the years 1 to 9999
        raise ValueError(f"no time: {value!r}") from error
    raise ValueError(f"no time: {value!r}")


def is_number(value: object) -> bool:
    """Whether a value is a number, or a text of digits: it does not say by itself what it counts.

    Digits that spell a date, such as 20261121, do.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        value = _tidied(value)
        return NUMBER(value) is not None and _spelled(value) is None
    return isinstance(value, int | float) and _spelled(f"{value:.0f}") is None


def _of_text(text: str) -> datetime | date:
    text = text.strip()
    # So Rails and Sequelize write it: read the quick way, too. A time without a zone is UTC.
    iso = text.removesuffix(" UTC").replace(" +", "+")
    if iso[:9].isdigit():  # Python would take the ninth of many digits for a "T"
        return _of_unusual_text(text)
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return _of_unusual_text(text)
    if len(iso) > 10:
        # Python takes any character for the "T", also the sign of the offset that XML adds to days.
        if not (iso[10] in _TEES or iso[8] in _TEES):
            return _of_unusual_text(text)
        if at.tzinfo not in (None, UTC):
            _refuse_far(at.utcoffset() or timedelta(0))
        return at
    if WEEK(text):  # a week alone is no day
        raise ValueError(f"no time: {text!r}")
    return at.date()


def _of_unusual_text(text: str) -> datetime | date:
    text = _tidied(text)
    if NUMBER(text):
        return _of_number(int(text) if text.lstrip("+-").isdigit() else float(text))
    if found := MILLISECONDS(text):
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    if len(text) <= _LONGEST:
        for inner in dict.fromkeys((text, unwrapped(text))):
            for form in forms():
                if found := form(inner):
                    return _of_parts(found.groupdict())
    raise ValueError(f"no time: {text!r}")


def _tidied(text: str) -> str:
    """A text without what only surrounds it, and with plain blanks and signs.

    JSON within JSON leaves quotes, files leave a byte order mark, some locales write a narrow space
    before AM, or marks of the direction of writing.
    """
    plain = text if text.isascii() else text.translate(_PLAIN_SIGNS)
    return " ".join(plain.split()).strip("\"'")


def _of_number(value: float) -> datetime | date:
    """Seconds since 1970, or the thousandth part of that or less; a julian day; a spelled date."""
    spelled = _spelled(str(int(value)))
    if isinstance(spelled, datetime):
        return spelled  # MySQL adds a fraction
    if spelled:
        if value != int(value):
            raise ValueError(f"a date, or seconds: {value}")
        return spelled
    if _JULIAN_DAYS[0] <= value < _JULIAN_DAYS[1]:
        # A REAL has room for half of a tenth of a millisecond.
        return _EPOCH + timedelta(milliseconds=round((value - _UNIX_AT_JULIAN_0) * 86_400_000))
    size = abs(value)
    if size < 1e11:  # seconds, up to the year 5138
        return _EPOCH + timedelta(seconds=value)
    if size < 1e14:
        return _EPOCH + timedelta(milliseconds=value)
    if size < 1e17:
        return _EPOCH + timedelta(microseconds=value)
    if size < 1e20:
        return _EPOCH + timedelta(microseconds=value // 1000)
    raise ValueError(f"no time: {value}")


def _spelled(digits: str) -> datetime | date | None:
    """The date that digits spell, 20261121, or the time, 20261121103015, to the microsecond."""
    if len(digits) not in (8, 12, 14, 17, 20) or not digits.isdigit():
        return None
    if int(digits[:4]) not in _SPELLED_YEARS:
        return None
    try:
        at = datetime.strptime(digits.ljust(20, "0"), "%Y%m%d%H%M%S%f")  # noqa: DTZ007 - it has none
    except ValueError:
        return None
    return at.date() if len(digits) == 8 else at


def _of_parts(part: dict[str, str | None]) -> datetime | date:
    """The meaning of what a form's groups have found."""
    day = _date(part)
    if part.get("hour") is None:
        return day
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    if half := part.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} {half}m is no hour")
        hour = hour % 12 + 12 * (half in "pP")
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone comes last
    if (hour, minute, second) == (24, 0, 0) or (hour, minute, second) == (23, 59, 60):
        at = midnight + timedelta(days=1)  # the end of the day; a leap second
    else:
        micro = int(part.get("micro") or (part.get("fraction") or "")[:6].ljust(6, "0"))
        at = midnight.replace(hour=hour, minute=minute, second=second, microsecond=micro)
    return at.replace(tzinfo=_zone(part))


def _date(part: dict[str, str | None]) -> date:
    year = int(part["year"] or "")
    if week := part.get("week"):
        return date.fromisocalendar(year, int(week), int(part["weekday"] or ""))
    if ordinal := part.get("ordinal"):
        first = date(year, 1, 1)
        at = first + timedelta(days=int(ordinal) - 1)
        if at < first or at.year != year:
            raise ValueError(f"{year} has no day {ordinal}")
        return at
    if len(part["year"] or "") == 2:
        if not (part["in_mail"] or part["zone"] or part["sign"]):
            raise ValueError(f"the year or the day: {year}")
        year += 2000 if year < 69 else 1900
    month = part["month"] or ""
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
    return date(year, number, int(part["day"] or ""))


def _refuse_far(offset: timedelta) -> None:
    if abs(offset) > _FARTHEST:
        raise ValueError(f"no zone: {offset}")


def _zone(part: dict[str, str | None]) -> tzinfo | None:
    if hours := part.get("offset_hours"):
        offset = timedelta(hours=int(hours), minutes=int(part["offset_minutes"] or 0))
        _refuse_far(offset)
        return timezone(-offset if part["sign"] == "-" else offset)
    name = part["zone"]
    if name is None:
        return None
    if "/" in name:
        try:
            return ZoneInfo(name)
        except (OSError, KeyError) as error:
            raise ValueError(f"no zone: {name}") from error
    known = _ZONES | (_MAIL_ZONES if part.get("in_mail") else {})
    if name.lower() not in known:
        raise ValueError(f"a zone of two meanings, or of none: {name}")
    return timezone(timedelta(hours=known[name.lower()]))
