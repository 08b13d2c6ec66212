-- Whom a 配布番号 is of, for the centre alone: every child of list and sample, and whom the meeting added, under 支援措置
-- too, in the order of the numbers.
create or replace temp table key_list as
select
    coalesce(c.sheet_number, '') as sheet_number,
    coalesce(p.name, p.name_kana, '') as name,
    c.resident_id,
    c.school_name as school,
    coalesce(r.open_consultation, y.open_consultation, false) as open_consultation,
    c.protected
from meeting_children as c
left join screening.ranking as r
    on r.reference_date = $reference_date and r.child_key = c.child_key
left join features.labels as y
    on y.reference_date = $reference_date and y.child_key = c.child_key
left join delivered_resident_register as p on p.resident_id = c.resident_id
order by sheet_number, c.resident_id;
