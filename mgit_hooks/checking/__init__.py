"""``check``: what is there, or is about to be, judged by the gate's own judge and told in one of several forms."""
