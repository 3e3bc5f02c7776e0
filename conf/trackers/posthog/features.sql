-- The features of a PostHog event, in DuckDB SQL. Events without a $ are a shop's own: rename them to yours.
SELECT
  CAST(event_name = '$pageview' AS DOUBLE)                                  AS is_page_view,
  CAST(event_name = '$pageleave' AS DOUBLE)                                 AS is_page_leave,
  CAST(event_name = '$autocapture' AS DOUBLE)                               AS is_autocapture,
  CAST(event_name = 'product viewed' AS DOUBLE)                             AS is_product_view,
  CAST(event_name = 'product added' AS DOUBLE)                              AS is_cart_step,
  CAST(event_name = 'checkout started' AS DOUBLE)                           AS is_checkout,
  CAST(device_type = 'Mobile' AS DOUBLE)                                    AS is_mobile,
  CAST(device_type = 'Desktop' AS DOUBLE)                                   AS is_desktop,
  CAST(referrer_domain = '$direct' AS DOUBLE)                               AS is_direct,
  CAST(campaign_medium IN ('cpc', 'ppc', 'paid') AS DOUBLE)                 AS from_paid,
  CAST(is_identified AS DOUBLE)                                             AS is_identified,
  CAST(hour(event_time) AS DOUBLE)                                          AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                    AS day_of_week, -- Monday is 0
  CAST(viewport_width AS DOUBLE) / nullif(viewport_height, 0)               AS viewport_ratio,
  CASE WHEN page_seconds >= 0 THEN ln(1 + page_seconds) END                 AS log_page_s,
  page_scroll                                                               AS page_scroll,
  CASE WHEN price > 0 THEN ln(price) END                                    AS log_price,
  CAST(quantity AS DOUBLE)                                                  AS quantity
FROM click
