-- Two features are enough to tell right from wrong.
SELECT
  price * 2 AS double_price, -- a comment, with a comma
  quantity  AS quantity
FROM click
