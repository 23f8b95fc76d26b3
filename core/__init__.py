"""What every storey stands on, none of it about trading: errors, retry, clock, money, canonical JSON, HTTP, telemetry."""
