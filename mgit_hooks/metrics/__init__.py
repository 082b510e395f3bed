"""What operations cost: noted as they end (``operation``), folded together, and shown."""
