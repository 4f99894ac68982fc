"""A service that takes payloads and delivers them to webhooks, with retries in the background."""
