-- The features of a click in a plain web shop, in DuckDB SQL.
SELECT
  CAST(event_type = 'view' AS DOUBLE)                                       AS is_product_view,
  CAST(event_type = 'cart' AS DOUBLE)                                       AS is_cart_step,
  CAST(event_type = 'remove_from_cart' AS DOUBLE)                           AS is_removal,
  CAST(split_part(category_code, '.', 1) = 'electronics' AS DOUBLE)         AS is_electronics,
  CAST(split_part(category_code, '.', 1) = 'apparel' AS DOUBLE)             AS is_apparel,
  CAST(len(string_split(category_code, '.')) AS DOUBLE)                     AS category_depth,
  CAST(category_code IS NULL AS DOUBLE)                                     AS has_no_category,
  CAST(brand IS NULL AS DOUBLE)                                             AS has_no_brand,
  CAST(hour(event_time) AS DOUBLE)                                          AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                    AS day_of_week, -- Monday is 0
  CASE WHEN price > 0 THEN ln(price) END                                    AS log_price
FROM click
