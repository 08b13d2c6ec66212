-- When the returned files that lie there now were read for the first time, by content: a name is no proof.
create or replace temp table new_first_readings as
select *
from review.first_readings
where reference_date = $reference_date and kind = $kind
union all by name
select distinct
    $reference_date::date as reference_date,
    $kind::varchar as kind,
    f.sha256,
    $today::date as read_on
from returned_files as f
where
    -- a file that cannot be opened just now was not read
    f.sha256 <> ''
    and not exists (
        from review.first_readings as r
        where r.reference_date = $reference_date and r.kind = $kind and r.sha256 = f.sha256
    );

create or replace temp table first_readings as
select
    f.file,
    min(coalesce(r.read_on, $today::date)) as read_on
from returned_files as f
left join new_first_readings as r using (sha256)
group by f.file;
