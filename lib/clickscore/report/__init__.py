"""The report: one HTML page over the tables of a run, for a browser without a network; no Spark, no Java.

``delta_tables`` and ``run_tables`` open the tables with delta-rs, the modules of the sections aggregate them with
DuckDB, ``charts`` draws with Altair, ``page`` puts texts, grids and charts into one file, and ``report`` calls them.
"""
