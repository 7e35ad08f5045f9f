"""What is shown: the JSON interface, the pages and the terminal, over one home and one engine."""
