-- The features of a click, in DuckDB SQL, computed alike for training, for the stream and for batches.
-- One row in, one row out: no aggregates, no joins. Every expression needs a name.
SELECT
  CAST(event_type = 'view_product' AS DOUBLE)                              AS is_product_view,
  CAST(event_type IN ('add_to_cart', 'view_cart', 'checkout') AS DOUBLE)   AS is_cart_step,
  CAST(event_type = 'search' AS DOUBLE)                                    AS is_search,
  CAST(event_type = 'remove_from_cart' AS DOUBLE)                          AS is_removal,
  CAST(device = 'mobile' AS DOUBLE)                                        AS is_mobile,
  CAST(device = 'desktop' AS DOUBLE)                                       AS is_desktop,
  CAST(channel = 'email' AS DOUBLE)                                        AS from_email,
  CAST(channel = 'social' AS DOUBLE)                                       AS from_social,
  CAST(channel IN ('paid_search', 'affiliate') AS DOUBLE)                  AS from_paid,
  CAST(channel = 'direct' AS DOUBLE)                                       AS from_direct,
  CAST("returning" AS DOUBLE)                                              AS is_returning, -- a reserved word
  CAST(country = 'DE' AS DOUBLE)                                           AS is_domestic,
  CAST(hour(event_time) AS DOUBLE)                                         AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                   AS day_of_week,  -- Monday is 0
  CAST(viewport_width AS DOUBLE) / nullif(viewport_height, 0)              AS viewport_ratio,
  CASE WHEN price > 0 THEN ln(price) END                                   AS log_price,
  CAST(quantity AS DOUBLE)                                                 AS quantity,
  CAST(dwell_ms = 0 AS DOUBLE)                                             AS is_landing,
  CASE WHEN dwell_ms > -1000 THEN ln(1 + dwell_ms / 1000) END              AS log_dwell_s,
  scroll_depth                                                             AS scroll_depth,
  CAST(length(search_query) AS DOUBLE)                                     AS search_length,
  CAST(referrer IS NULL AS DOUBLE)                                         AS has_no_referrer
FROM click
