"""What an attacker would try on what leaves, and how far they get."""
