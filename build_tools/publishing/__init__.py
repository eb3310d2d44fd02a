"""A new version -> a running server: publish, promote, rollback, retire, status, verify."""
