-- Who ever stood on the list of this date, and under which school year and school the workbook told the child: a
-- correction may change all of it while the workbook is out.
create or replace temp table new_listed_children as
select *
from review.listed_children
where reference_date = $reference_date
union
select
    l.reference_date,
    l.child_key,
    c.school_year,
    c.school
from new_meeting_list as l
join numbered_children as c using (child_key);
