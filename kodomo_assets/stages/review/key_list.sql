-- Whom a 配布番号 is of, for the centre alone: every child of list and sample, and whom the meeting added, under 支援措置
-- too, in the order of the numbers.
create or replace temp table key_list as
select
    coalesce(l.sheet_number, n.sheet_number, '') as sheet_number,
    coalesce(p.name, p.name_kana, '') as name,
    c.resident_id,
    coalesce(s.school_name, c.school_code) as school,
    coalesce(r.open_consultation, y.open_consultation, false) as open_consultation,
    c.protected
from linkage.children as c
left join review.meeting_list as l using (reference_date, child_key)
left join review.decisions_in_force as d using (reference_date, child_key)
left join screening.ranking as r using (reference_date, child_key)
left join features.labels as y using (reference_date, child_key)
left join sheet_numbers as n using (child_key)
left join delivered_resident_register as p on p.resident_id = c.resident_id
left join registered_schools as s on s.school_code = c.school_code
where
    c.reference_date = $reference_date
    and (l.child_key is not null or d.child_key is not null)
order by sheet_number, c.resident_id;
