"""The settings of mappings: how what a vendor sends becomes our events."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from monitor.config.section import Section
from monitor.mapping import DropRule, FieldRule, Mapper, MappingError, Shape, StreamRule
from monitor.mapping.numbers import is_decimal
from monitor.mapping.words import near

Single: TypeAlias = bool | int | float | str
Plain: TypeAlias = Single | list[str]
StreamName: TypeAlias = Literal["treasury", "repo", "newissue", "cds", "reference"]


class _Rule(Section):
    """A table with a `from`, which Python cannot call so."""

    model_config = ConfigDict(serialize_by_alias=True)


class FieldSettings(_Rule):
    """[mappings.NAME.fields.OURS]: how one of our fields is made."""

    from_: str | tuple[str, ...] = Field(
        (),
        alias="from",
        description="Where theirs stands, such as quote.bid; of several paths the first that is there.",
    )
    constant: Plain | None = Field(None, description="In place of from: what it always is.")
    scale: str | int | float | None = Field(None, description='What their number is multiplied by, such as "1e-9".')
    format: str | None = Field(
        None,
        description="How they write it: 32nds, epoch_seconds, epoch_milliseconds, epoch_nanoseconds, fix_timestamp, "
        "fix_date, or text for an id that is a number.",
    )
    values: dict[str, Plain] | None = Field(None, min_length=1, description="Theirs to ours.")
    table: str | None = Field(None, min_length=1, description="The same, as [mappings.NAME.tables.TABLE].")
    unknown: Literal["refuse", "drop", "keep"] = Field("refuse", description="A value that is not in the table.")
    empty: tuple[str, ...] = Field((), description="Texts that mean nothing, such as N/A.")
    default: Plain | None = Field(None, description="What it is where theirs is not there.")

    @field_validator("scale", mode="before")
    @classmethod
    def _a_number(cls, scale: object) -> object:
        if isinstance(scale, bool) or (isinstance(scale, str) and not is_decimal(scale)):
            raise ValueError(f"{scale!r} is no decimal number")
        return scale

    def rule(self, tables: dict[str, dict[str, Plain]]) -> FieldRule:
        """The same for the mapping; MappingError if it names a table that is not there, or two."""
        values = self.values
        if self.table is not None:
            if values is not None:
                raise MappingError("say values or table, not both")
            if self.table not in tables:
                raise MappingError(f"there is no table {self.table}: {near(self.table, tables)}")
            values = tables[self.table]
        return FieldRule(
            paths=(self.from_,) if isinstance(self.from_, str) else self.from_,
            constant=self.constant,
            scale=None if self.scale is None else Decimal(str(self.scale)),
            format=self.format,
            values=values,
            unknown=self.unknown,
            empty=self.empty,
            default=self.default,
        )


class DropSettings(_Rule):
    """[[mappings.NAME.drop]]: what is not wanted."""

    from_: str = Field(alias="from", min_length=1, description="What is looked at.")
    equals: Single | None = Field(
        None, description="It is dropped if that is this; a text is a number of these digits too."
    )
    among: tuple[Single, ...] | None = Field(None, min_length=1, description="Or one of these.")
    missing: bool = Field(False, description="Or if nothing stands there.")

    @model_validator(mode="after")
    def _one_test(self) -> DropSettings:
        if (self.equals is not None) + (self.among is not None) + self.missing != 1:
            raise ValueError("say one of equals, among and missing = true")
        return self

    def rule(self) -> DropRule:
        """The same for the mapping."""
        among = self.among or (() if self.equals is None else (self.equals,))
        return DropRule(path=self.from_, among=among, missing=self.missing)


class StreamBySettings(_Rule):
    """[mappings.NAME.stream_by]: what chooses the stream of an event."""

    from_: str = Field(alias="from", min_length=1, description="What is looked at.")
    values: dict[str, StreamName] = Field(min_length=1, description="Theirs to our streams.")
    unknown: Literal["refuse", "drop"] = Field("refuse", description="An event of another.")


class MappingSettings(Section):
    """[mappings.NAME]: how what a vendor sends becomes our events."""

    stream: StreamName | None = Field(None, description="Of all events; or see stream_by.")
    stream_by: StreamBySettings | None = Field(None, description="What chooses the stream of each.")
    events: str | None = Field(
        None, min_length=1, description="Where in a message its events are: an object or an array. Default: it is one."
    )
    fields_: dict[str, FieldSettings] = Field(alias="fields", min_length=1, description="By our field's name.")
    tables: dict[str, dict[str, Plain]] = Field({}, description="Tables that fields name: theirs to ours.")
    drop: tuple[DropSettings, ...] = Field((), description="What is not wanted.")
    ignore: tuple[str, ...] = Field(
        (), description="Whole messages that are not wanted, such as PING; need be no JSON."
    )

    model_config = ConfigDict(serialize_by_alias=True)

    @model_validator(mode="after")
    def _can_work(self) -> MappingSettings:
        self.mapper()
        return self

    def mapper(self) -> Mapper:
        """What makes the events; MappingError if it cannot work."""
        return self._mapper

    @cached_property
    def _mapper(self) -> Mapper:
        if (self.stream is None) == (self.stream_by is None):
            raise MappingError("say either stream or stream_by")
        by = self.stream_by
        stream = StreamRule(path=by.from_, values=by.values, unknown=by.unknown) if by else self.stream or ""
        fields = {}
        for name, each in self.fields_.items():
            try:
                fields[name] = each.rule(self.tables)
            except MappingError as error:
                raise MappingError(f"fields.{name}: {error}") from error
        drop = tuple(each.rule() for each in self.drop)
        return Mapper(Shape(stream=stream, fields=fields, events=self.events, drop=drop, ignore=self.ignore))
