{{ config(pre_hook="{{ index_landed_rows() }}") }}

{#-
By the id alone, without the wallet: rows of one id are few, and the index of the landed
rows stays narrow. All versions of a touched object count, so that the TWAPs of a version
that is no longer shown are made anew too.
-#}

select distinct {{ normalised_twap_id('landed.twap_id') }} as twap_id
from {{ ref('stg_twap_statuses') }} as landed
where
    {{ normalised_twap_id('landed.twap_id') }} is not null
    and landed.s3_object_key in (
        select touched.s3_object_key
        from {{ ref('int_touched_objects') }} as touched
    )
    -- A full refresh asks nobody what is touched.
    and {{ not flags.FULL_REFRESH }}
