"""Writers of a report, one per format."""
