{{ config(pre_hook="{{ index_landed_rows() }}") }}

{#-
By the identity alone, without the wallet: rows of one id are few, and the index of the
landed rows stays narrow. All versions of a touched object count, so that the TWAPs of a
version that is no longer shown are rebuilt too.
-#}

select distinct rows.twap_id
from {{ ref('int_landed_rows') }} as rows
where
    rows.twap_id is not null
    and rows.s3_object_key in (
        select touched.s3_object_key
        from {{ ref('int_touched_objects') }} as touched
    )
