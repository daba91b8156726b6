replace(
    -- What stands between quotes. What a spreadsheet would take for a formula begins with
    -- an apostrophe.
    case
        when %(spreadsheet)s and left(event.column, 1) = any(%(formula)s)
            then '''' || event.column
        else event.column
    end,
    '"',
    '""'
)
