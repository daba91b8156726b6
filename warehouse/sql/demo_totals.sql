select
    (select count(*) from marts.twap_status) as events,
    (select count(*) from marts.twap_latest) as twaps,
    (select count(distinct wallet) from marts.twap_latest) as wallets,
    (select count(*) from marts.twap_status_rejected) as rejected,
    (select min(ts) from marts.twap_status) as first_event,
    (select max(ts) from marts.twap_status) as last_event;
