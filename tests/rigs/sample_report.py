"""A realistic report of an invented shop for tea and pottery, and ways to bend it for a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from common.report.day_report import DayReport, Entry, Footer, Quote, Section, Unread

DAY = date(2026, 11, 21)

_BERLIN = timezone(timedelta(hours=1))
_HOURS = (3, 1, 0, 0, 2, 6, 14, 27, 41, 58, 63, 55, 47, 52, 60, 71, 66, 49, 37, 28, 16, 9, 6, 3)
_PREVIOUS = (612, 655, 590, 701, 648, 633, 627)

FOOTER = Footer(
    model="claude-haiku-5-5",
    run_id="20261122T020001Z-4711",
    requests=16,
    input_tokens=48210,
    output_tokens=6120,
    usd=0.0788,
    demo=False,
)


def quote(record_id: str, hour: int, minute: int, text: str) -> Quote:
    return Quote(
        record_id, datetime(DAY.year, DAY.month, DAY.day, hour, minute, tzinfo=_BERLIN), text
    )


THEMES = Section(
    "themes",
    (
        Entry(
            "Parcels held at the depot",
            "Orders sent since Wednesday show “held at depot” and do not move. Customers ask where "
            "the "
            "parcel is, and many have written more than once; three say that the carrier told them "
            "to "
            "ask the shop.",
            128,
            (
                quote(
                    "48117",
                    8,
                    42,
                    "My tracking says held at depot since Wednesday. Is anybody going to move it?",
                ),
                quote(
                    "48290",
                    11,
                    5,
                    "third time I write. WHERE is order #20931?? it was a birthday present",
                ),
                quote(
                    "48406",
                    14,
                    18,
                    "مرحبا، طلبي رقم 20877 متوقف في المستودع منذ ثلاثة أيام. متى سيصل؟",
                ),
            ),
        ),
        Entry(
            "The welcome coupon is refused at checkout",
            "The code HELLO10 from the newsletter answers “not valid for this basket”, also for "
            "baskets "
            "above the minimum of 30 €. Some paid the full price and ask for the difference.",
            93,
            (
                quote(
                    "48133",
                    9,
                    12,
                    "HELLO10 doesn't work, it says not valid for this basket. My basket is 41 €",
                ),
                quote(
                    "48377",
                    13,
                    31,
                    "I paid full price because the code failed, can you refund the 10%?",
                ),
            ),
        ),
        Entry(
            "Cups arriving broken",
            "Celadon cups break at the handle; the photos show one layer of paper around each of "
            "them.",
            37,
            (
                quote(
                    "48201",
                    10,
                    2,
                    "two of the four celadon cups arrived broken 😢 box was fine, so it is the "
                    "packing",
                ),
            ),
        ),
        Entry(
            "Praise for the autumn oolong",
            "Customers who bought the autumn oolong write to thank, and ask whether it will stay.",
            22,
            (
                quote(
                    "48512", 17, 47, "Best oolong I had in years. Please keep it after Christmas!"
                ),
            ),
        ),
        Entry(
            "Gift wrapping for several addresses",
            "One order, many addresses: the form allows only one.",
            4,
            (),
        ),
    ),
)

ANOMALIES = Section(
    "anomalies",
    (
        Entry(
            "Eleven password resets that nobody asked for, within 20 minutes",
            "Between 03:40 and 04:00 customers received reset mails they say they did not ask for. "
            "Nothing like it on the days before.",
            11,
            (
                quote(
                    "48019",
                    5,
                    51,
                    "Got a password reset mail at 3:52 in the night. It wasn't me. Is my account "
                    "ok?",
                ),
            ),
        ),
        Entry("One customer was charged twice for one order", "", 1, ()),
    ),
)

ACTION_ITEMS = Section(
    "action_items",
    (
        Entry(
            "Ask the carrier about the depot today, and write to the 128 who wait",
            "They have written already; one message to all of them saves as many answers.",
            128,
            (),
            "now",
        ),
        Entry(
            "Repair or withdraw the code HELLO10",
            "And refund the difference where the full price was paid.",
            93,
            (),
            "now",
        ),
        Entry("Look at the sign-in log between 03:40 and 04:00", "", 11, (), "today"),
        Entry("Try a second layer of paper around celadon cups", "", 0, (), "later"),
    ),
)


def sample() -> DayReport:
    """A busy Saturday."""
    return DayReport(
        title="Daily report",
        day=DAY,
        timezone="Europe/Berlin",
        records=sum(_HOURS),
        by_hour=tuple((f"{hour:02}", count) for hour, count in enumerate(_HOURS)),
        previous=tuple(
            (DAY - timedelta(days=7 - place), count) for place, count in enumerate(_PREVIOUS)
        ),
        summary="Parcels have been standing at the depot since Wednesday, and one customer in six "
        "wrote about it. The welcome coupon fails at checkout, which costs orders as well as "
        "patience. "
        "Eleven password resets that nobody asked for, all within 20 minutes, deserve a look "
        "before the "
        "weekend is over.",
        summary_missing="",
        sections=(ACTION_ITEMS, ANOMALIES, THEMES),
        unread=(
            Unread("48222", "refused by the model"),
            Unread("48391", "answer cut off three times"),
        ),
        ids_removed=1,
        undated=3,
        footer=FOOTER,
    )


def quiet() -> DayReport:
    """A day without records, the first one ever reported."""
    return replace(
        sample(),
        records=0,
        by_hour=tuple((f"{hour:02}", 0) for hour in range(24)),
        previous=(),
        summary="",
        summary_missing="the day has no records",
        sections=tuple(Section(section.name, ()) for section in sample().sections),
        unread=(),
        ids_removed=0,
        undated=0,
    )


def with_text(text: str) -> DayReport:
    """A report that has this text in every place where a text can be."""
    one = Entry(text, text, 2, (quote(text, 9, 12, text), quote("7", 9, 13, text)))
    entries = (one, replace(one, records=0, quotes=()), one)
    return replace(
        sample(),
        title=text,
        timezone=text,
        by_hour=((text, 3), ("01", 0), (text, 4)),
        summary=text,
        sections=(
            Section("themes", entries),
            Section("anomalies", entries),
            Section("action_items", entries),
            Section(text, entries),
        ),
        unread=(Unread(text, text), Unread("9", text)),
        footer=replace(FOOTER, model=text, run_id=text, usd=None),
    )
