"""The map of clips: points in the plane as a page to explore, and as a table."""

from bench.report.map.data import MapData, MapView
from bench.report.map.page import write
from bench.report.map.table import free_name, write_table

__all__ = ["MapData", "MapView", "free_name", "write", "write_table"]
