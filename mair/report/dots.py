"""Former name of `mair.report.maps`; leaves with the last caller."""

from mair.report.maps import verdict_map

__all__ = ["verdict_map"]
