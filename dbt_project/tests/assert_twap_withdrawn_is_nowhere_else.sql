{#- A row here is a TWAP that is called withdrawn and yet has an event. -#}

select
    twap_id,
    wallet
from {{ ref('twap_withdrawn') }}
where {{ is_in_scope('twap_id') }}

intersect

select
    twap_id,
    wallet
from {{ ref('twap_status') }}
where {{ is_in_scope('twap_id') }}
