(select max(every.ts) from marts.twap_status as every)
