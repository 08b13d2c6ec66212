-- Every child of the reference date under its number, the school as files show it; `sheet_numbers` holds the numbers
-- (store.pseudonyms).
create or replace temp table numbered_children as
select
    c.child_key,
    c.resident_id,
    c.household_id,
    n.sheet_number,
    c.school_year,
    c.band,
    c.school_code,
    coalesce(s.school_name, c.school_code) as school_name,
    case when c.protected then $protected else coalesce(s.school_name, c.school_code) end as school,
    c.protected
from linkage.children as c
left join sheet_numbers as n using (child_key)
left join linkage.schools as s on s.reference_date = c.reference_date and s.school_code = c.school_code
-- the list of an older date may still hold who is stopped since (利用停止): no file that is made from now on shows it
anti join rights.stops_in_force as q on q.child_key = c.child_key
where c.reference_date = $reference_date;
