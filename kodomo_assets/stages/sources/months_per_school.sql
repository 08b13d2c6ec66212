-- Schools without any row of a month that at least half of the schools delivered; one row per school, months in order.
-- Reads `monthly_rows(pupil_id, month)`, the rows of the delivery, and `registered_schools`.
with roster as (
    select
        pupil_id,
        school_code
    from sources.school_roster
    where reference_date = (
        select max(reference_date)
        from sources.school_roster
        where reference_date <= $reference_date
    )
),

names as (
    select
        school_code,
        any_value(school_name order by reference_date desc) as school_name
    from registered_schools
    where reference_date <= $reference_date
    group by school_code
),

delivered_months as (
    select distinct
        roster.school_code,
        monthly_rows.month
    from monthly_rows
    join roster on roster.pupil_id = monthly_rows.pupil_id
),

schools as (
    select distinct school_code
    from delivered_months
),

usual_months as (
    select month
    from delivered_months
    group by month
    having count(*) * 2 >= (select count(*) from schools)
)

select
    coalesce(names.school_name, schools.school_code) as school,
    list(usual_months.month order by usual_months.month) as months
from schools
cross join usual_months
anti join delivered_months using (school_code, month)
left join names on names.school_code = schools.school_code
group by all
order by school
