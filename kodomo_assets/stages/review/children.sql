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
where c.reference_date = $reference_date;
