"""From payloads to tiers: decoding, watermarks, bars, and what is known at a tick."""
