-- Tables that are made at publication only.

create or replace temp table derived_children_per_school as
select
    reference_date,
    school_code,
    school_year,
    count(*)::integer as children
from linkage.children
group by reference_date, cube(school_code, school_year);
