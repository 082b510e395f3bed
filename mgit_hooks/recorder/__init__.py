"""The recorder lane: from what hooks spool and reflogs hold to records in the journal."""
