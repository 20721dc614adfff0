"""A person's bytes: where they are, and how they leave files, older versions of tables included."""
