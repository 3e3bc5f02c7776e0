"""The path of a click: raw records become clicks, clicks get features, features get a score."""
