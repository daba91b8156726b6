{#-
The index that finds the landed rows of a TWAP. It is made here and not by the loader,
because what it holds is an interpretation; the loader drops it before a large load, and
the next build makes it again.
-#}
{% macro index_landed_rows() -%}
    create index if not exists twap_statuses_normalised_twap_id
    on {{ source('staging', 'twap_statuses') }} (({{ normalised_twap_id('twap_id') }}))
{%- endmacro %}
