"""A web page for people: a text in, every task's answer out, as it comes. Needs the extra `playground`."""
