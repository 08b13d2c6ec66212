-- Who is ranked, and on which levels they stand. Reads the temp table ``screened`` (scoring.py), spine and levels.

create or replace temp table screened_children as
select
    child_key,
    household_id,
    school_code,
    band,
    school_year as cohort
from linkage.children
where
    reference_date = $reference_date
    and ($all_schools or school_code in (from screened));

-- One row per screened child and item.
create or replace temp table child_levels as
select
    c.child_key,
    c.band,
    l.item,
    l.level
from features.levels as l
join screened_children as c using (child_key)
where l.reference_date = $reference_date;
