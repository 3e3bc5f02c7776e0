-- The features of a Segment or RudderStack call, in DuckDB SQL. Event names as in the e-commerce specification.
SELECT
  CAST(call = 'page' AS DOUBLE)                                             AS is_page_view,
  CAST(coalesce(event_name = 'Product Viewed', false) AS DOUBLE)            AS is_product_view,
  CAST(coalesce(event_name IN ('Product Added', 'Cart Viewed'), false) AS DOUBLE) AS is_cart_step,
  CAST(coalesce(event_name = 'Product Removed', false) AS DOUBLE)           AS is_removal,
  CAST(coalesce(starts_with(event_name, 'Checkout'), false) AS DOUBLE)      AS is_checkout,
  CAST(coalesce(event_name = 'Products Searched', false) AS DOUBLE)         AS is_search,
  CAST(coalesce(user_id, '') <> '' AS DOUBLE)                               AS is_signed_in,
  CAST(user_agent LIKE '%Mobi%' AS DOUBLE)                                  AS is_mobile,
  CAST(campaign_medium IN ('cpc', 'ppc', 'paid') AS DOUBLE)                 AS from_paid,
  CAST(campaign_medium = 'email' AS DOUBLE)                                 AS from_email,
  CAST(referrer IS NULL OR referrer = '' AS DOUBLE)                         AS has_no_referrer,
  CAST(hour(event_time) AS DOUBLE)                                          AS hour_of_day,
  CAST(isodow(event_time) - 1 AS DOUBLE)                                    AS day_of_week, -- Monday is 0
  CAST(length(page_path) - length(replace(page_path, '/', '')) AS DOUBLE)   AS path_depth,
  CASE WHEN price > 0 THEN ln(price) END                                    AS log_price,
  CAST(quantity AS DOUBLE)                                                  AS quantity
FROM click
