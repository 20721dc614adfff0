"""What payloads look like, and when they stop looking as they did: no value, and no name that may be one."""
