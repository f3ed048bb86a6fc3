"""The windows of baskets: what protection on the names of a theme costs together, and on the index beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.cds.closes import business_days, closes, firsts_of, looked_back_on
from monitor.signals.cds.compared import IS_FIVE_YEARS, WINDOWS, with_close
from monitor.signals.cds.quotes import FIVE_YEARS, LAST_QUOTED, changes, standing
from monitor.signals.known import days_around, in_force
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Window
from monitor.signals.sessions import new_york_date

if TYPE_CHECKING:
    from datetime import date

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

MOST_THEMES: Final = 12
LONG: Final = WINDOWS[-1]
"""Business days over which a basket is compared with the index. A name whose last quote is older is no member any more,
and missed no longer."""
INDEX_DAYS: Final = 5
"""For an index whose last quote is older, in business days, the published series stands in."""
RESERVED: Final = "ai"
"""A theme that has its place, however many were known before it."""
INDEX_SERIES: Final = "CDX_IG"
"""The published series that stands in where no index is quoted."""
INDEX_MARKS: Final = ("CDX", r"(^|[^A-Z])IG([^A-Z]|$)")
"""What the name of an index of investment grade contains: not that of HIGH yield."""
NO_INDEX_MARK: Final = r"HVOL|(^|[^A-Z])HY([^A-Z]|$)"
"""And what it does not: parts of the index, and others."""
_E6: Final = pl.Int64()


@dataclass(frozen=True)
class Baskets(Window):
    """Every theme with its members of 5 years, where a member, the index, or the published series says something.

    A member is an entity, no index, whose last quote names the theme. A change is over the members at both ends: who
    belongs to the theme and is quoted now, and did and had a close then.

    Attributes:
        index_entities: as in the settings.
    """

    index_entities: tuple[str, ...] = ()

    columns: ClassVar[dict[str, pl.DataType]] = (
        {"theme": pl.String(), "has_news": pl.Boolean()}
        | {"mid2_e6": _E6, "members": _E6}  # the sum over members with a mid, and how many they are
        | {f"{name}{days}": _E6 for days in WINDOWS for name in ("change2_", "common", "lacking")}
        | {IS_PARTIAL: pl.Boolean(), IS_OVER: pl.Boolean()}
        | {"index_change2": _E6, "index_blind": pl.Boolean()}
    )

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes, and of the published series."""
        prints = _published(tiers)["tick"]
        prints = prints.filter(prints.is_between(after, upto, closed="right"))
        return pl.concat([LAST_QUOTED.ticks(tiers, after, upto), prints]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a theme and tick; `has_news` where one of its names says something, or leaves it.

        Blind when more than half of the members are, partial when any is or has no mid, over when there are none any
        more.
        """
        if self.ticks(at.tiers, int(at.ticks[0]) - 1, int(at.ticks[-1])).is_empty() if at.ticks.len() else True:
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        quoted = at.rows(LAST_QUOTED).filter(IS_FIVE_YEARS)
        prints = _published(at.tiers).select("tick").filter(c("tick").is_in(at.ticks.implode()))
        ticks = pl.concat([quoted.select("tick"), prints]).unique().sort("tick")
        if ticks.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        names = self._names(at, ticks)
        if names.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        themes = self._themes(at.tiers, names.filter(~c("index")))
        index = self._index(at.tiers, names.filter("index"), ticks)
        rows = themes.join(index, on="tick", how="left", maintain_order="left")
        return rows.select(*ROW_COLUMNS, *self.columns).sort("tick", "theme")

    # Names.

    def _names(self, at: Evaluation, ticks: pl.DataFrame) -> pl.DataFrame:
        """What stands of each entity at each tick, if it is not too old, with its closes."""
        entities = changes(at).filter(IS_FIVE_YEARS).select("entity").unique().sort("entity")
        asked = ticks.join(entities, how="cross").with_columns(tenor_e3=pl.lit(FIVE_YEARS, pl.Int64)).sort("tick")
        rows = standing(at, asked).drop_nulls("since")
        rows = rows.with_columns(value_date=new_york_date(c("tick")), said_date=new_york_date(c("said")))
        if rows.is_empty():
            return rows
        days = business_days(at.tiers, pl.concat([rows["value_date"], rows["said_date"].alias("value_date")]))
        rows = rows.join(days.select("value_date", "bond_index"), on="value_date", maintain_order="left").join(
            days.select(said_date="value_date", said_index="bond_index"), on="said_date", maintain_order="left"
        )
        rows = rows.with_columns(age=c("bond_index") - c("said_index"))
        first: date = rows["value_date"].min()  # type: ignore[assignment]  # of a Date column
        before = looked_back_on(at.tiers, first).filter(IS_FIVE_YEARS)
        for back in WINDOWS:
            rows = with_close(rows, before, back)
            then = before.select("entity", c("bond_index") + back, c("themes").alias(f"themes{back}"))
            rows = rows.join(then, on=["entity", "bond_index"], how="left", maintain_order="left")
        # The themes that it had at its last close: what it has left has news.
        last = before.select("entity", had="themes", last_index="bond_index").sort("last_index")
        return (
            rows.sort("bond_index")
            .join_asof(
                last, left_on="bond_index", right_on="last_index", by="entity", allow_exact_matches=False,
                check_sortedness=False,
            )
            .with_columns(had=pl.when(c("bond_index") - c("last_index") <= LONG).then("had"))
            .join(firsts_of(at.tiers).filter(IS_FIVE_YEARS).select("entity", "first_index"), on="entity", how="left")
            .sort("tick", "entity")
        )  # fmt: skip

    # Themes.

    def _themes(self, tiers: Tiers, names: pl.DataFrame) -> pl.DataFrame:
        nothing = pl.lit([], pl.List(pl.String))
        is_member, is_present = c("is_member"), c("is_member") & c("mid2_e6").is_not_null() & ~c("blind")
        names = names.with_columns(
            c("themes").fill_null(nothing), had=c("had").fill_null(nothing), is_news=c("since") == c("tick")
        )
        rows = (
            names.with_columns(theme=pl.concat_list("themes", "had").list.unique(maintain_order=True))
            .explode("theme", empty_as_null=False)
            .with_columns(is_member=c("themes").list.contains(c("theme")) & (c("age") <= LONG))
        )
        changes_of: list[pl.Expr] = []
        for back in WINDOWS:
            was = c(f"themes{back}").list.contains(c("theme")).fill_null(value=False)
            is_common = is_present & was & c(f"close{back}_e6").is_not_null()
            change = (c("mid2_e6") - c(f"close{back}_e6")).filter(is_common).sum()
            changes_of += [change.alias(f"change2_{back}"), is_common.sum().cast(_E6).alias(f"common{back}")]
            # It was there before, and has no close of that very day: without it the change may be too small.
            was_there = c("had").list.contains(c("theme")) & (c("first_index") <= c("bond_index") - back)
            lacks = is_present & c(f"close{back}_e6").is_null() & was_there.fill_null(value=False)
            changes_of.append(lacks.sum().cast(_E6).alias(f"lacking{back}"))
        grouped = rows.group_by("tick", "theme").agg(
            c("value_date", "bond_index").first(),
            *changes_of,
            mid2_e6=c("mid2_e6").filter(is_present).sum(),
            members=is_present.sum().cast(_E6),
            all_members=is_member.sum(),
            silent=(is_member & c("blind")).sum(),
            missing=(is_member & ~is_present).sum(),  # blind, or its last quote has no mid
            has_news=c("is_news").any(),
        )
        return _bounded(tiers, grouped).with_columns(
            (c("missing") > 0).alias(IS_PARTIAL),
            (c("all_members") == 0).alias(IS_OVER),
            blind=2 * c("silent") > c("all_members"),
        )

    # The index.

    def _index(self, tiers: Tiers, names: pl.DataFrame, ticks: pl.DataFrame) -> pl.DataFrame:
        """`index_change2` over `LONG` days (null: none) and whether it is blind, a row a tick; whether it has news."""
        if self.index_entities:
            wanted = pl.DataFrame({"entity": self.index_entities}).with_row_index("place")
        else:
            upper = c("entity").str.to_uppercase()
            is_wanted = pl.all_horizontal(upper.str.contains(mark) for mark in INDEX_MARKS)
            wanted = (
                names.filter(is_wanted, ~upper.str.contains(NO_INDEX_MARK))
                .select("entity")
                .unique()
                .sort("entity")
                .with_row_index("place")
            )
        quoted = (
            names.filter(c("age") <= INDEX_DAYS)
            .join(wanted, on="entity")
            .sort("tick", "place")
            .unique("tick", keep="first", maintain_order=True)
            .select(
                "tick",
                index_blind="blind",
                index_change2=pl.when(~c("blind")).then(c("mid2_e6") - c(f"close{LONG}_e6")),
            )
        )
        rows = ticks.join(quoted, on="tick", how="left", maintain_order="left")
        published = _published(tiers)
        is_blind = c("index_blind").fill_null(value=False)
        if published.is_empty():
            return rows.with_columns(index_blind=is_blind)
        rows = _published_change(tiers, rows, published)
        own = pl.when(~is_blind).then(pl.coalesce("index_change2", "published2"))
        return rows.select("tick", index_blind=is_blind, index_change2=own)


def _bounded(tiers: Tiers, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the themes that were known first, by the day of their first close; of one day, by name."""

    def make() -> pl.DataFrame:
        said = closes(tiers).filter(IS_FIVE_YEARS, ~c("index")).select("bond_index", theme="themes")
        said = said.explode("theme", empty_as_null=False, keep_nulls=False).drop_nulls()
        firsts = said.group_by("theme").agg(first_index=c("bond_index").min()).sort("first_index", "theme")
        return firsts.with_row_index("place").with_columns(c("place").cast(_E6))

    places = tiers.once("themes", make, of=("cds_days",))
    rows = rows.join(places, on="theme", how="left")
    # Those of today come after all that were known when it began.
    is_new = c("place").is_null() | (c("first_index") >= c("bond_index"))
    known = places.select(c("first_index").cast(_E6), known=c("place") + 1)
    rows = rows.sort("bond_index").join_asof(
        known, left_on="bond_index", right_on="first_index", allow_exact_matches=False, check_sortedness=False
    )
    new_place = c("known").fill_null(0) + is_new.cast(_E6).cum_sum().over("tick", order_by="theme") - 1
    place = pl.when(is_new).then(new_place).otherwise("place")
    return rows.filter((place < MOST_THEMES) | (c("theme") == RESERVED))


def _published(tiers: Tiers) -> pl.DataFrame:
    """The versions of the published index, in the order of ticks."""
    return tiers.once("cds index", lambda: tiers.reference.filter(c("series") == INDEX_SERIES), of=("reference",))


def _published_change(tiers: Tiers, rows: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """The rows with `published2`: twice the change of the published index over `LONG` days; null where too old."""
    rows = rows.with_columns(value_date=new_york_date(c("tick")))
    days = days_around(tiers.calendar, rows["value_date"], reach=2 * LONG + 10)
    numbers = days.select("bond_index", value_date="date")
    dates = days.filter("bond_business_day").select("bond_index", then="date")
    rows = rows.join(numbers, on="value_date", maintain_order="left").join(
        dates.select(c("bond_index") + LONG, "then"), on="bond_index", how="left", maintain_order="left"
    )
    dated = published.with_columns(value_e6=c("effective_date").to_physical().cast(_E6))
    found = rows.select("tick", "value_date")
    for when, name in (("value_date", "now"), ("then", "then")):
        asked = rows.select("tick", value_date=when)
        value = in_force(asked, published, INDEX_SERIES, "value")["value"]
        of = in_force(asked, dated, INDEX_SERIES, "of")["of"]
        is_young = asked["value_date"].to_physical().cast(pl.Int64) - of <= 2 * INDEX_DAYS
        found = found.with_columns(pl.when(is_young).then(value).alias(name))
    return rows.with_columns(published2=2 * (found["now"] - found["then"]))
