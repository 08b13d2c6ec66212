-- Who ever stood on the list of this date, and under which school year and school the workbook told the child: a
-- correction may change all of it while the workbook is out.
create or replace temp table new_listed_children as
with schools as (
    select
        school_code,
        min(school_name) as school_name
    from delivered_school_register
    group by school_code
)

select *
from review.listed_children
where reference_date = $reference_date
union
select
    l.reference_date,
    l.child_key,
    c.school_year,
    case when c.protected then $protected else coalesce(s.school_name, c.school_code) end as school
from new_meeting_list as l
join linkage.children as c using (reference_date, child_key)
left join schools as s using (school_code);
