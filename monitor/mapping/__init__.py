"""What vendors send, made into our events: rename, look up, convert, scale, drop. Bytes in, bytes out, and no I/O."""

from __future__ import annotations

from monitor.mapping.mapper import Dropped, Mapper, NotMapped
from monitor.mapping.shape import DropRule, FieldRule, MappingError, Shape, StreamRule

__all__ = ["DropRule", "Dropped", "FieldRule", "Mapper", "MappingError", "NotMapped", "Shape", "StreamRule"]
