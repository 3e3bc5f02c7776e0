-- The features of a Snowplow event, in DuckDB SQL. One row in, one row out.
SELECT
  CAST(event_name = 'page_view' AS DOUBLE)                                  AS is_page_view,
  CAST(event_name = 'page_ping' AS DOUBLE)                                  AS is_page_ping,
  CAST(event_name = 'link_click' AS DOUBLE)                                 AS is_link_click,
  CAST(coalesce(shop_action = 'product_view', false) AS DOUBLE)             AS is_product_view,
  CAST(coalesce(shop_action = 'add_to_cart', false) AS DOUBLE)              AS is_cart_step,
  CAST(coalesce(shop_action = 'checkout_step', false) AS DOUBLE)            AS is_checkout,
  CAST(device_class = 'Phone' AS DOUBLE)                                    AS is_phone,
  CAST(referrer_medium = 'search' AS DOUBLE)                                AS from_search,
  CAST(campaign_medium IN ('cpc', 'ppc', 'paid') AS DOUBLE)                 AS from_paid,
  CAST(referrer_medium IS NULL AND campaign_medium IS NULL AS DOUBLE)       AS from_nowhere,
  CAST(user_id IS NOT NULL AS DOUBLE)                                       AS is_signed_in,
  CASE WHEN session_number > 0 THEN ln(session_number) END                  AS log_session_number,
  CAST(hour(event_time) AS DOUBLE)                                          AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                    AS day_of_week, -- Monday is 0
  CAST(viewport_width AS DOUBLE) / nullif(viewport_height, 0)               AS viewport_ratio,
  CAST(scrolled_to AS DOUBLE) / nullif(document_height, 0)                  AS scroll_depth,
  CASE WHEN price > 0 THEN ln(price) END                                    AS log_price,
  CAST(quantity AS DOUBLE)                                                  AS quantity
FROM click
