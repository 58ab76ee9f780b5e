"""What a checkpoint holds, and how a run is saved, restored and checked."""
