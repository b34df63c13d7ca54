"""advisor over HTTP: recommend, explain, predict and check as a small application; it reads no file that a request names.

A request is answered by one of a few worker processes, which is ended when it takes too long. So one request can
neither stop the others nor fill the machine, and the process that listens never computes.
"""

from advisor.server.application import application
from advisor.server.limits import Limits

__all__ = ["Limits", "application"]
