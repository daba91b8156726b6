select attribute.attname::text
from pg_attribute as attribute
where attribute.attrelid = to_regclass('staging.twap_statuses')
    and attribute.attnum > 0
    and not attribute.attisdropped
