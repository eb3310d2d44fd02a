"""One tritonserver: what it is started with, how it is asked, and what it leaves behind."""
