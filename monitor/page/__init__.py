"""The live page: what a person looks at who has no Grafana at hand, and on-call staff by their one link.

The pipeline's thread hands results to `PageSink`; everything else runs in the page's own server thread. What the page
shows is one flat state, key to JSON (`state`); what changes in it is pushed as differences (`hub`); what may be asked
for, and by whom, is `app` and `guard`.
"""

from monitor.page.app import Page, page_app
from monitor.page.guard import Guard
from monitor.page.sink import PageSink

__all__ = ["Guard", "Page", "PageSink", "page_app"]
