-- What api/versions.py reads along with the rows of an answer.
(select build_id from data_version) as build_id,
(select version from data_version) as version,
(select run_id from data_version) as run_id,
(select is_building from data_version) as is_building
