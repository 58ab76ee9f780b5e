"""What leaves the house: what it takes from a run is gathered here, and handed to export and report."""
