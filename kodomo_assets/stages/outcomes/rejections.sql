-- Every row and file that was not taken: `refused_rows` of the kind's own .sql, and the files that could not be read.
create or replace temp table new_rejections as
with refused as (
    select file, sheet, row_number, problem
    from refused_rows
    union all by name
    from rejected_files
)

select
    $reference_date::date as reference_date,
    $kind::varchar as kind,
    file,
    sheet,
    row_number,
    problem
from refused;
