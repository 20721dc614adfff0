"""From contracts to Great Expectations."""
