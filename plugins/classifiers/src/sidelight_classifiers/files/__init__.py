"""Model files from anyone, read without running what they hold."""
