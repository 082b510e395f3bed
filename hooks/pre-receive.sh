# What is pushed is in quarantine, and may never come out of it: the drain is for post-receive to start.
later=1
record "$tab$who$tab$text"
