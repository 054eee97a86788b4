"""Whose mail it is and who may change what: tenants, domains, users, tokens, the audit log."""
