-- Who is ranked. Reads the temp table ``screened`` (scoring.py) and the spine.

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
