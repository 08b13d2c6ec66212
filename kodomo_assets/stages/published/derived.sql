-- Tables that are made at publication only.

create or replace temp table derived_children_per_school as
select
    reference_date,
    school_code,
    school_year,
    count(*)::integer as children
from linkage.children
group by reference_date, cube(school_code, school_year);

-- Sex and nationality: read where fairness is audited and nowhere else (method §6).
create or replace temp table derived_fairness_items as
select reference_date, child_key, item, level
from features.levels
where list_contains($fairness_items::varchar[], item);
