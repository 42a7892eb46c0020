"""What a run will need (disk, memory, time, requests) and whether it fits: `emolab doctor`, `emolab run`."""
