"""The report of a run as one HTML file that needs nothing else: no network, no fonts, no library, printable, works from disk.

`evidence` reads the run directory, `packing` stores its texts once each, `measures` and `board` work out what is shown,
`figures` turns numbers into drawing coordinates, `page` puts all into the templates under ``assets/``. Everything above
the single questions is plain HTML and SVG made here in Python, so it is readable without JavaScript; the scripts only add
the look into cells and questions, from one JSON data island.

The SVG is made by hand because the plots are dots, lines and rectangles at percent positions: they follow the width of
the window and the colours of the theme through CSS, cost a few kilobytes where a plotting library costs hundreds, and
run under a policy that allows no script or style but the two hashed ones.

What models wrote is never markup: Jinja escapes it, the data island escapes ``<``, ``>`` and ``&``, the script uses
``textContent`` only (trusted types enforce that), and terminal and direction-changing characters are removed.
"""

from moco.report.html.page import render_report, write_report

__all__ = ["render_report", "write_report"]
