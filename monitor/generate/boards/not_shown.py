"""What is exported and stands on no board, each with its reason: whatever is not here has to be on one."""

from __future__ import annotations

from typing import Final

NOT_SHOWN: Final = {
    "process_virtual_memory_bytes": "address space that is asked for and mostly not used; what is held is shown",
}
"""By name the reason."""
