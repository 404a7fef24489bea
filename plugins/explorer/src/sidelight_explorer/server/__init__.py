"""The HTTP server: application, API, access control, jobs and the lock around the models."""
