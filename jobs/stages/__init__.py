"""The verbs of the platform: pure functions of frames."""
