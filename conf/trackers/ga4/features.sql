-- The features of a GA4 event, in DuckDB SQL. Event names are those that Google recommends.
SELECT
  CAST(event_name = 'page_view' AS DOUBLE)                                  AS is_page_view,
  CAST(event_name = 'session_start' AS DOUBLE)                              AS is_landing,
  CAST(event_name = 'view_item' AS DOUBLE)                                  AS is_product_view,
  CAST(event_name IN ('add_to_cart', 'view_cart') AS DOUBLE)                AS is_cart_step,
  CAST(event_name IN ('begin_checkout', 'add_shipping_info', 'add_payment_info') AS DOUBLE) AS is_checkout,
  CAST(event_name IN ('search', 'view_search_results') AS DOUBLE)           AS is_search,
  CAST(device_category = 'mobile' AS DOUBLE)                                AS is_mobile,
  CAST(device_category = 'desktop' AS DOUBLE)                               AS is_desktop,
  CAST(first_medium = 'organic' AS DOUBLE)                                  AS from_search,
  CAST(first_medium IN ('cpc', 'ppc', 'paid') AS DOUBLE)                    AS from_paid,
  CAST(first_medium = 'email' AS DOUBLE)                                    AS from_email,
  CAST(user_id IS NOT NULL AS DOUBLE)                                       AS is_signed_in,
  CAST(hour(event_time) AS DOUBLE)                                          AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                    AS day_of_week, -- Monday is 0
  CASE WHEN session_number > 0 THEN ln(session_number) END                  AS log_session_number,
  (epoch(event_time) - session_id) / 60                                     AS minutes_into_visit,
  CASE WHEN engagement_ms >= 0 THEN ln(1 + engagement_ms / 1000) END        AS log_engaged_s,
  CAST(scrolled_percent AS DOUBLE) / 100                                    AS scroll_depth,
  CASE WHEN item_price > 0 THEN ln(item_price) END                          AS log_price,
  CAST(item_quantity AS DOUBLE)                                             AS quantity
FROM click
