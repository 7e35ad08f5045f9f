"""What is shown: the JSON interface and the pages, over one home and one engine."""

from web.app import create_app, serve

__all__ = ["create_app", "serve"]
