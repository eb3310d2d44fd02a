"""Changing a repository that serves: publish, promote, rollback, retire; and asking after it: status, verify."""
