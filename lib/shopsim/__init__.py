"""A small web shop whose visitors click: the source of believable clicks for the demo, tests and benchmarks.

The scoring package never imports this one: to it, the shop is just one click schema among others.

- ``catalog``: what the shop sells, and how its pages are called.
- ``behaviour``: how visitors move from page to page; the Markov chain and the intent that bends it.
- ``visits``: sessions over time, as an endless, reproducible flow of clicks in event-time order.
- ``records``: clicks as JSON lines, and the faults (malformed, duplicate, late) that real feeds carry.
- ``landing``: JSON-lines files that appear whole in a folder, at a set rate or as fast as possible.
"""
