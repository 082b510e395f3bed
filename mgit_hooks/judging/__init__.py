"""By what a record is judged: schemas, the rules beyond them, users' rules, and the configuration."""
