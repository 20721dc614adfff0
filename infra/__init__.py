"""Everything around the platform: simulated source systems, images, deployment."""
