-- The object and row that tell of an event, as a member of its JSON object.
format(
    ',"provenance":{"s3_object_key":%%s,"s3_etag":%%s,"row_number":%%s,'
    '"copies":%%s,"inserted_at":"%%sZ"}',
    to_json(event.s3_object_key),
    to_json(event.s3_etag),
    event.row_number,
    event.copies,
    {{ utc(event.inserted_at) }}
)
