-- Who goes to the meeting: the selected children, and where a sample is drawn some from below the cut, unmarked among
-- them: without it nobody can ever know what the list misses (method §7).
create or replace temp table new_meeting_list as
with ranked as (
    select
        r.child_key,
        r.selected,
        n.sheet_number,
        n.lot
    from screening.ranking as r
    join sheet_numbers as n using (child_key)
    where r.reference_date = $reference_date
),

sample as (
    select child_key
    from ranked
    where not selected
    order by lot
    limit $sample
)

select
    $reference_date::date as reference_date,
    child_key,
    case when selected then 'selected' else 'sample' end as origin,
    sheet_number
from ranked
where selected or child_key in (from sample)
order by child_key;
